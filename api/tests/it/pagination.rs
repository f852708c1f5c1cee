//! Pagination of lists.

use serde_json::{Value, json};

use crate::support::{Backend, Client, PASSWORD, TestApp, on_both};

on_both!(
    all_pages_together_show_each_object_once_newest_first,
    objects_added_meanwhile_do_not_shift_pages,
    orders_are_filtered_by_status,
    the_default_page_size_is_twenty,
);

fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of a whole list, read page by page, with an action between pages.
async fn walk(client: &Client, list: &str, limit: usize, mut between: impl AsyncFnMut()) -> Vec<String> {
    let separator = if list.contains('?') { '&' } else { '?' };
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{list}{separator}limit={limit}{cursor}")).await.expect(200);
        let items = ids(&page["items"]);
        assert!(items.len() <= limit);
        // Prevents an endless loop if a cursor does not advance.
        assert!(items.iter().all(|id| !seen.contains(id)), "{items:?} are shown again");
        seen.extend(items);
        let Some(next) = page["next_cursor"].as_str() else { return seen };
        assert_eq!(page["items"].as_array().unwrap().len(), limit, "only the last page is short");
        cursor = format!("&cursor={next}");
        between().await;
    }
}

async fn add_user(owner: &Client) -> Value {
    let email = format!("{}@example.com", uuid::Uuid::now_v7());
    let user = json!({ "email": email, "password": PASSWORD, "role": "member" });
    owner.post("/v1/users", user).await.expect(201)["id"].clone()
}

async fn all_pages_together_show_each_object_once_newest_first(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let mut users = vec![owner.get("/v1/users/me").await["id"].clone()];
    let (mut products, mut orders) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        users.push(add_user(&owner).await);
        let product = owner.add_product(10).await;
        orders.push(owner.order(&product, 1).await.expect(201)["id"].clone());
        products.push(json!(product));
    }
    for (list, oldest_first) in [("users", users), ("products", products), ("orders", orders)] {
        let expected: Vec<_> = oldest_first.iter().rev().map(|id| id.as_str().unwrap().to_owned()).collect();
        for limit in 1..=expected.len() + 1 {
            let seen = walk(&owner, &format!("/v1/{list}"), limit, async || {}).await;
            assert_eq!(seen, expected, "{list} by {limit}");
        }
    }
}

async fn objects_added_meanwhile_do_not_shift_pages(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(1000).await;
    for _ in 0..4 {
        add_user(&owner).await;
        owner.add_product(1).await;
        owner.order(&product, 1).await.expect(201);
    }
    for list in ["/v1/users", "/v1/products", "/v1/orders"] {
        let before = ids(&owner.get(list).await["items"]);
        let add_one = async || {
            add_user(&owner).await;
            owner.add_product(1).await;
            owner.order(&product, 1).await.expect(201);
        };
        assert_eq!(walk(&owner, list, 1, add_one).await, before, "{list}");
        assert!(owner.get(list).await["items"].as_array().unwrap().len() > before.len());
    }
}

async fn orders_are_filtered_by_status(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    let (mut paid, mut declined) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        for (decline_rate, orders) in [(0.0, &mut paid), (1.0, &mut declined)] {
            app.gateway_behaves(json!({ "decline_rate": decline_rate })).await;
            let order = owner.order(&product, 1).await.expect(201);
            orders.insert(0, order["id"].as_str().unwrap().to_owned());
        }
    }
    for (status, expected) in [("paid", paid), ("payment_failed", declined), ("refunded", vec![])] {
        for limit in 1..=3 {
            let seen = walk(&owner, &format!("/v1/orders?status={status}"), limit, async || {}).await;
            assert_eq!(seen, expected, "{status} by {limit}");
        }
    }
}

async fn the_default_page_size_is_twenty(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    for _ in 0..21 {
        owner.add_product(1).await;
    }
    assert_eq!(ids(&owner.get("/v1/products").await["items"]).len(), 20);
    let all = owner.get("/v1/products?limit=100").await;
    assert_eq!((ids(&all["items"]).len(), &all["next_cursor"]), (21, &Value::Null));
}
