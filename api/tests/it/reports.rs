//! The revenue report: sums by day and currency.

use serde_json::{Value, json};

use crate::support::{Backend, Client, SHORT_TIMEOUTS, TestApp, key, on_both};

on_both!(
    revenue_is_summed_by_day_and_currency,
    only_paid_orders_are_revenue,
    a_period_without_orders_is_empty,
    an_invalid_period_is_rejected,
    a_sum_out_of_range_does_not_affect_other_days,
    members_cannot_read_the_revenue,
);

/// The maximum amount of an order: 2⁵³ − 1.
const MOST: i64 = 9_007_199_254_740_991;

async fn revenue(owner: &Client, from: &str, to: &str) -> Value {
    owner.get(&format!("/v1/reports/revenue?from={from}&to={to}")).await.expect(200)
}

/// Places an order and sets its creation time.
async fn order_at(app: &TestApp, owner: &Client, product: &str, quantity: i64, time: &str) -> Value {
    let order = owner.order(product, quantity).await.expect(201);
    let sql = format!("UPDATE orders SET created_at = '{time}' WHERE created_at > '2026-03-01' RETURNING id");
    assert_eq!(app.database.query(&sql).await.len(), 1);
    order["id"].clone()
}

async fn revenue_is_summed_by_day_and_currency(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (dollars, euros) = (owner.add_product_at(100, "USD").await, owner.add_product_at(70, "EUR").await);
    order_at(&app, &owner, &dollars, 9, "2026-01-30T23:59:59.999999Z").await;
    order_at(&app, &owner, &dollars, 1, "2026-01-31T00:00:00Z").await;
    let order = order_at(&app, &owner, &dollars, 2, "2026-01-31T23:59:59.999999Z").await;
    order_at(&app, &owner, &euros, 3, "2026-01-31T12:00:00Z").await;
    order_at(&app, &owner, &euros, 1, "2026-02-01T00:00:00Z").await;
    order_at(&app, &owner, &euros, 9, "2026-02-02T00:00:00Z").await;
    let payment = owner.payment(&order).await;
    owner.refund(&payment["id"], &key()).await.expect(200);

    let day = |day: &str, currency: &str, orders: i64, gross: i64, refunded: i64| {
        json!({
            "day": day, "currency": currency, "paid_orders": orders,
            "gross_minor": gross, "refunded_minor": refunded
        })
    };
    assert_eq!(
        revenue(&owner, "2026-01-31", "2026-02-01").await,
        json!([
            day("2026-01-31", "EUR", 1, 210, 0),
            day("2026-01-31", "USD", 2, 300, 200),
            day("2026-02-01", "EUR", 1, 70, 0),
        ])
    );
}

async fn only_paid_orders_are_revenue(backend: Backend) {
    let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "decline_rate": 1 })).await;
    owner.order(&product, 1).await.expect(201);
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let cancelled = owner.order(&product, 1).await.expect(202);
    owner.cancel(&cancelled["id"], &key()).await.expect(200);
    owner.order(&product, 1).await.expect(202);

    let today = time::OffsetDateTime::now_utc().date();
    let around = (today.previous_day().unwrap().to_string(), today.next_day().unwrap().to_string());
    assert_eq!(revenue(&owner, &around.0, &around.1).await, json!([]));
}

async fn a_period_without_orders_is_empty(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for (from, to) in
        [("2020-01-01", "2020-01-31"), ("0001-01-01", "0001-12-31"), ("9999-12-31", "9999-12-31")]
    {
        assert_eq!(revenue(&owner, from, to).await, json!([]));
    }
}

async fn an_invalid_period_is_rejected(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let report = async |query: &str| owner.get(&format!("/v1/reports/revenue?{query}")).await;

    report("from=2024-01-01&to=2025-01-01").await.expect(200); // 366 days later
    for (query, field) in [
        ("from=2024-01-01&to=2025-01-02", "to"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("from=2026-02-30&to=2026-03-01", "from"),
        ("from=2026-01-01&to=tomorrow", "to"),
        ("from=-5000-01-01&to=-5000-01-02", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-02", "from"),
    ] {
        let problem = report(query).await.expect_problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["field"], field, "{query}: {problem}");
    }
    report("from=2026-01-01").await.expect_problem(400, "invalid_query");
}

async fn a_sum_out_of_range_does_not_affect_other_days(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product_at(MOST, "USD").await;
    for time in ["2026-01-30T12:00:00Z", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"] {
        order_at(&app, &owner, &product, 1, time).await;
    }

    assert_eq!(revenue(&owner, "2026-01-30", "2026-01-30").await[0]["gross_minor"], MOST);
    let report = owner.get("/v1/reports/revenue?from=2026-01-30&to=2026-01-31").await;
    let problem = report.expect_problem(409, "sum_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("2026-01-31"), "{problem}");
}

async fn members_cannot_read_the_revenue(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let member = app.add_user(&owner, "member").await;
    let report = member.get("/v1/reports/revenue?from=2026-01-01&to=2026-01-31").await;
    report.expect_problem(403, "admin_only");
}
