//! Products: creation, concurrent changes, archiving, and stock.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Backend, Client, Response, TestApp, key, on_both};

on_both!(
    a_product_is_created_shown_changed_and_archived,
    a_sku_is_unique_and_case_insensitive,
    a_change_needs_the_version_that_was_read,
    of_two_concurrent_changes_of_a_version_one_is_rejected,
    an_archived_product_remains_in_existing_orders_only,
    an_order_keeps_its_original_price,
    stock_moves_within_its_range,
);

fn mug() -> Value {
    json!({ "sku": "mug-blue", "name": " Blue mug ", "price_minor": 1250, "currency": "USD", "stock": 5 })
}

async fn add(client: &Client, product: Value) -> (String, String) {
    let added = client.post("/v1/products", product).await;
    let path = format!("/v1/products/{}", added["id"].as_str().unwrap());
    (path, added.header("etag").to_owned())
}

async fn a_product_is_created_shown_changed_and_archived(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let added = owner.post("/v1/products", mug()).await;
    let (etag, added) = (added.header("etag").to_owned(), added.expect(201));
    for (field, value) in [
        ("sku", json!("MUG-BLUE")),
        ("name", json!("Blue mug")),
        ("price_minor", json!(1250)),
        ("currency", json!("USD")),
        ("stock", json!(5)),
    ] {
        assert_eq!(added[field], value, "{field}");
    }
    let path = format!("/v1/products/{}", added["id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.expect(200), added);
    assert_eq!(owner.get("/v1/products").await["items"], json!([added]));

    let changed = owner.patch(&path, &etag, json!({ "price_minor": 99, "currency": "EUR" })).await;
    let (etag, changed) = (changed.header("etag").to_owned(), changed.expect(200));
    assert_eq!((&changed["price_minor"], &changed["currency"]), (&json!(99), &json!("EUR")));
    assert_eq!((&changed["name"], &changed["stock"]), (&added["name"], &added["stock"]));
    assert_eq!(owner.get(&path).await.expect(200), changed);

    owner.delete(&path, &etag).await.expect(204);
    owner.get(&path).await.expect_problem(404, "not_found");
    owner.delete(&path, &etag).await.expect_problem(404, "not_found");
}

async fn a_sku_is_unique_and_case_insensitive(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    owner.post("/v1/products", mug()).await.expect(201);
    for sku in ["mug-blue", "MUG-BLUE", "Mug-Blue"] {
        let mut same = mug();
        same["sku"] = json!(sku);
        owner.post("/v1/products", same).await.expect_problem(409, "sku_taken");
    }
}

async fn a_change_needs_the_version_that_was_read(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (path, first) = add(&owner, mug()).await;
    let change = json!({ "name": "Red mug" });
    owner.send(Method::PATCH, &path, Some(change.clone())).await.expect_problem(428, "if_match_required");
    owner.send(Method::DELETE, &path, None).await.expect_problem(428, "if_match_required");
    owner.patch(&path, "1", change.clone()).await.expect_problem(400, "if_match_invalid");
    owner.delete(&path, "mug").await.expect_problem(400, "if_match_invalid");
    let second = owner.patch(&path, &first, change.clone()).await.header("etag").to_owned();
    assert_ne!(first, second);
    owner.patch(&path, &first, change).await.expect_problem(412, "changed_meanwhile");
    owner.delete(&path, &first).await.expect_problem(412, "changed_meanwhile");
    assert_eq!(owner.get(&path).await.header("etag"), second);
}

async fn of_two_concurrent_changes_of_a_version_one_is_rejected(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (path, etag) = add(&owner, mug()).await;
    let (red, green) = tokio::join!(
        owner.patch(&path, &etag, json!({ "name": "Red mug" })),
        owner.patch(&path, &etag, json!({ "name": "Green mug" })),
    );
    let (winner, loser): (Vec<Response>, Vec<Response>) =
        [red, green].into_iter().partition(|response| response.status == 200);
    assert_eq!((winner.len(), loser.len()), (1, 1));
    for rejected in loser {
        rejected.expect_problem(412, "changed_meanwhile");
    }
    assert_eq!(owner.get(&path).await["name"], winner[0]["name"]);
}

async fn an_archived_product_remains_in_existing_orders_only(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (path, etag) = add(&owner, mug()).await;
    let product = path.rsplit('/').next().unwrap();
    let order = owner.order(product, 2).await.expect(201);
    owner.delete(&path, &etag).await.expect(204);

    assert_eq!(owner.get("/v1/products").await["items"], json!([]));
    let rejected = owner.order(product, 1).await.expect_problem(422, "invalid_fields");
    assert_eq!(rejected["errors"][0]["message"], format!("there is no product {product}"));
    let stock = owner.post_once(&format!("{path}/stock"), &key(), json!({ "delta": 1 })).await;
    stock.expect_problem(404, "not_found");

    let old = owner.get(&format!("/v1/orders/{}", order["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(old["items"], order["items"]);
    assert_eq!(old["items"][0]["name"], "Blue mug");
}

async fn an_order_keeps_its_original_price(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (path, etag) = add(&owner, mug()).await;
    let order = owner.order(path.rsplit('/').next().unwrap(), 2).await.expect(201);
    let change = json!({ "name": "Dear mug", "price_minor": 99_999, "currency": "USD" });
    owner.patch(&path, &etag, change).await.expect(200);
    let old = owner.get(&format!("/v1/orders/{}", order["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&old["total_minor"], &old["items"]), (&json!(2500), &order["items"]));
}

async fn stock_moves_within_its_range(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let mut product = mug();
    product["stock"] = json!(999_999_990);
    let (path, _) = add(&owner, product).await;
    let stock = format!("{path}/stock");
    let move_by = async |delta: i64| owner.post_once(&stock, &key(), json!({ "delta": delta })).await;
    assert_eq!(move_by(10).await.expect(200)["stock"], 1_000_000_000);
    move_by(1).await.expect_problem(409, "stock_out_of_range");
    assert_eq!(move_by(-1_000_000).await.expect(200)["stock"], 999_000_000);

    let (path, _) =
        add(&owner, json!({ "sku": "CUP", "name": "Cup", "price_minor": 0, "currency": "JPY" })).await;
    let stock = format!("{path}/stock");
    let move_by = async |delta: i64| owner.post_once(&stock, &key(), json!({ "delta": delta })).await;
    let rejected = move_by(-1).await.expect_problem(409, "stock_out_of_range");
    assert!(rejected["detail"].as_str().unwrap().ends_with("it is 0 now"), "{rejected}");
    assert_eq!(owner.get(&path).await["stock"], 0);
    let nothing = format!("/v1/products/{}/stock", Uuid::now_v7());
    owner.post_once(&nothing, &key(), json!({ "delta": 1 })).await.expect_problem(404, "not_found");
}
