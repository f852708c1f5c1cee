//! The examples of the OpenAPI document. They work as they are in the demo.

use glasshouse_domain::user::Role;
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};

use super::super::extract::{IdempotencyHeader, IfMatch};
use crate::demo::data::{ACME, BLUE_MUG, PASSWORD};

/// A token has this form. One that works is in a message alone.
const RESET_TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The example of a request body, by the id of its operation. A new password is the one that the user has, so that the other
/// examples go on working.
fn body(operation: &str) -> Option<Value> {
    let (tenant, owner, member) = (ACME.slug, ACME.email(Role::Owner), ACME.email(Role::Member));
    Some(match operation {
        "log_in" => json!({ "tenant": tenant, "email": owner, "password": PASSWORD }),
        "request_password_reset" => json!({ "tenant": tenant, "email": member }),
        "reset_password" => json!({ "tenant": tenant, "token": RESET_TOKEN, "new_password": PASSWORD }),
        "change_password" => json!({ "current_password": PASSWORD, "new_password": PASSWORD }),
        "sign_up" => {
            let owner = json!({ "email": "ada@initrode.example", "password": PASSWORD });
            json!({ "slug": "initrode", "name": "Initrode", "source": "organic", "owner": owner })
        }
        "add_user" => json!({ "email": "ada@acme.example", "password": PASSWORD, "role": "member" }),
        "change_user" => json!({ "role": "admin" }),
        "add_product" => {
            json!({ "sku": "CUP-RED", "name": "Red cup", "price_minor": 990, "currency": "USD", "stock": 100 })
        }
        "change_product" => json!({ "price_minor": 1350, "currency": "USD" }),
        "move_product_stock" => json!({ "delta": 25 }),
        "place_order" => {
            json!({ "items": [{ "product_id": ACME.product_id(BLUE_MUG), "quantity": 2 }] })
        }
        _ => return None,
    })
}

/// The example of a parameter.
fn parameter(path: &str, operation: &str, parameter: &Parameter) -> Option<Value> {
    match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Header, IdempotencyHeader::NAME) => Some(json!(format!("example-of-{operation}"))),
        (ParameterIn::Header, IfMatch::NAME) => Some(json!("*")),
        (ParameterIn::Path, "id") if path.starts_with("/v1/products/") => {
            Some(json!(ACME.product_id(BLUE_MUG)))
        }
        (ParameterIn::Path, "id") if path.starts_with("/v1/users/") => {
            Some(json!(ACME.user_id(Role::Member)))
        }
        _ => None,
    }
}

/// Adds the examples of an operation.
pub(super) fn describe_examples(path: &str, operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    for declared in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(declared) = declared {
            let example = parameter(path, &id, declared);
            *declared = ParameterBuilder::from(declared.clone()).example(example).build();
        }
    }
    let Some(RefOr::T(request_body)) = &mut operation.request_body else { return };
    for content in request_body.content.values_mut() {
        if let RefOr::T(content) = content {
            content.example = body(&id);
        }
    }
}
