//! Authorization: every operation with every role, and without a login.

use glasshouse_domain::user::Role;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Backend, Response, TestApp, assert_complete, key, on_both};

on_both!(
    a_request_without_a_token_is_rejected,
    each_role_is_authorized_for_its_operations_alone,
    members_cancel_their_own_orders_alone,
);

/// The lowest role that an operation requires; `None` if it requires no login.
const OPERATIONS: [(&str, Option<Role>); 24] = [
    ("POST /v1/tenants", None),
    ("POST /v1/auth/login", None),
    ("POST /v1/auth/password-reset/request", None),
    ("POST /v1/auth/password-reset/confirm", None),
    ("PUT /v1/users/me/password", Some(Role::Member)),
    ("GET /v1/users/me", Some(Role::Member)),
    ("GET /v1/users", Some(Role::Admin)),
    ("POST /v1/users", Some(Role::Admin)),
    ("GET /v1/users/{id}", Some(Role::Admin)),
    ("PATCH /v1/users/{id}", Some(Role::Admin)),
    ("DELETE /v1/users/{id}", Some(Role::Admin)),
    ("GET /v1/products", Some(Role::Member)),
    ("POST /v1/products", Some(Role::Admin)),
    ("GET /v1/products/{id}", Some(Role::Member)),
    ("PATCH /v1/products/{id}", Some(Role::Admin)),
    ("DELETE /v1/products/{id}", Some(Role::Admin)),
    ("POST /v1/products/{id}/stock", Some(Role::Admin)),
    ("GET /v1/orders", Some(Role::Member)),
    ("POST /v1/orders", Some(Role::Member)),
    ("GET /v1/orders/{id}", Some(Role::Member)),
    ("POST /v1/orders/{id}/cancel", Some(Role::Member)),
    ("GET /v1/orders/{id}/payments", Some(Role::Member)),
    ("POST /v1/payments/{id}/refund", Some(Role::Admin)),
    ("GET /v1/reports/revenue", Some(Role::Admin)),
];

#[test]
fn every_operation_has_a_lowest_role() {
    assert_complete(OPERATIONS.map(|(operation, _)| operation), |_, _| true);
}

#[test]
fn the_document_names_the_operations_that_need_a_token() {
    let protected = OPERATIONS.iter().filter(|(_, lowest)| lowest.is_some()).map(|(operation, _)| *operation);
    assert_complete(protected, |_, operation| operation["security"][0]["bearer"].is_array());
}

#[test]
fn the_document_names_the_operations_that_not_everyone_may_use() {
    let for_some = OPERATIONS.iter().filter(|(_, lowest)| lowest.is_some_and(|lowest| lowest > Role::Member));
    let for_some = for_some.map(|(operation, _)| *operation).chain([
        "POST /v1/orders/{id}/cancel",
        "PUT /v1/users/me/password",
        "POST /v1/auth/password-reset/confirm",
    ]);
    // Every operation with a login rejects an outdated role.
    let common = "The role of the caller has changed: repeat the request";
    assert_complete(for_some, |_, operation| {
        operation["responses"]["403"]["description"].as_str().is_some_and(|description| description != common)
    });
}

async fn a_request_without_a_token_is_rejected(backend: Backend) {
    let app = TestApp::start(backend).await;
    let anonymous = app.anonymous();
    let id = Uuid::now_v7().to_string();
    for (operation, lowest) in OPERATIONS {
        let response = anonymous.send_raw(operation, &id, "{}").await;
        match lowest {
            None => assert_eq!(response.status, 422, "{operation}"),
            Some(_) => {
                assert_eq!(response.header("www-authenticate"), "Bearer", "{operation}");
                response.expect_problem(401, "not_logged_in");
            }
        }
    }
}

async fn each_role_is_authorized_for_its_operations_alone(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let id = Uuid::now_v7().to_string();
    for role in Role::ALL {
        let client = app.add_user(&owner, role.as_str()).await;
        for (operation, lowest) in OPERATIONS {
            // No object has this id and no body has this field: an authorized request gets another error.
            let response = client.send_raw(operation, &id, r#"{"no":"such field"}"#).await;
            if lowest.is_some_and(|lowest| *role < lowest) {
                response.expect_problem(403, "admin_only");
            } else {
                let status = response.status.as_u16();
                assert!(matches!(status, 200 | 400 | 404 | 422), "{role}: {operation}: {}", response.body);
            }
        }
    }
}

async fn members_cancel_their_own_orders_alone(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (member, admin) = (app.add_user(&owner, "member").await, app.add_user(&owner, "admin").await);
    let product = owner.add_product(10).await;
    app.gateway_behaves(json!({ "error_rate": 1.0 })).await;
    let [of_owner, of_member] = [
        owner.order(&product, 1).await.expect(202)["id"].clone(),
        member.order(&product, 1).await.expect(202)["id"].clone(),
    ];
    let cancel = async |client: &crate::support::Client, order: &serde_json::Value| -> Response {
        let path = format!("/v1/orders/{}/cancel", order.as_str().unwrap());
        client.post_once(&path, &key(), json!({})).await
    };
    cancel(&member, &of_owner).await.expect_problem(403, "not_your_order");
    assert_eq!(cancel(&admin, &of_owner).await.expect(200)["status"], "cancelled");
    assert_eq!(cancel(&member, &of_member).await.expect(200)["status"], "cancelled");
    assert_eq!(owner.stock(&product).await, 10);
}
