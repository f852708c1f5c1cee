//! Retries of calls to the payment gateway have a budget: while it is down, they are a ratio of its load.

use std::time::Instant;

use serde_json::json;

use crate::support::{Backend, NO_WORKER, Scrape, TestApp, concurrently, on_both, statuses};

on_both!(retries_do_not_multiply_the_load_of_a_gateway_that_fails);

async fn retries_do_not_multiply_the_load_of_a_gateway_that_fails(backend: Backend) {
    const ORDERS: u32 = 60;
    let settings = [
        ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "5"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_BACKOFF_MS", "1"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_CIRCUIT_FAILURES", "1000"),
    ];
    let app = TestApp::start_with(backend, &[NO_WORKER, &settings].concat()).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    app.gateway_behaves(json!({ "error_rate": 1 })).await;
    let begun = Instant::now();
    let first = owner.order(&product, 1).await.expect(202);
    assert_eq!(first["status"], "pending");
    let one = Scrape::of(&app.management()).await;
    let attempts = |scrape: &Scrape| {
        scrape.sum("payment_gateway_request_duration_seconds_count", r#"operation="charge""#)
    };
    let retries = |scrape: &Scrape, result: &str| {
        scrape.sum("payment_gateway_retries_total", &format!("result=\"{result}\""))
    };
    assert_eq!((attempts(&one), retries(&one, "sent")), (5.0, 4.0), "one call has all of its attempts");

    let responses = concurrently((1..ORDERS).map(|_| owner.order(&product, 1))).await;
    assert_eq!(statuses(&responses), [(202, responses.len())].into());
    let all = Scrape::of(&app.management()).await;
    // What is saved up, a fifth of the calls, and one a second.
    let budget = 10.0 + f64::from(ORDERS) / 5.0 + begun.elapsed().as_secs_f64();
    assert!(retries(&all, "sent") <= budget, "{} retries, {budget}", retries(&all, "sent"));
    assert!(retries(&all, "sent") >= 10.0 && retries(&all, "over_budget") > 0.0);
    assert_eq!(attempts(&all), f64::from(ORDERS) + retries(&all, "sent"));
}
