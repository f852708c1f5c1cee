//! The links of the OpenAPI document: which operation supplies the parameters of which.

use utoipa::openapi::RefOr;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;

/// The object that was created, and its version.
const CREATED: [(&str, &str); 2] = [("id", "$response.body#/id"), ("If-Match", "$response.header.ETag")];
/// The object that was created. Its operations need no version.
const CREATED_ID: [(&str, &str); 1] = [("id", "$response.body#/id")];

/// An operation, one that its response leads to, and the parameters of that.
type Supplies = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const LINKS: [Supplies; 15] = [
    ("add_user", "show_user", &CREATED_ID),
    ("add_user", "change_user", &CREATED),
    ("add_user", "deactivate_user", &CREATED),
    ("add_product", "show_product", &CREATED_ID),
    ("add_product", "change_product", &CREATED),
    ("add_product", "archive_product", &CREATED),
    ("add_product", "move_product_stock", &CREATED_ID),
    ("place_order", "show_order", &CREATED_ID),
    ("place_order", "cancel_order", &CREATED_ID),
    ("place_order", "list_payments", &CREATED_ID),
    ("list_payments", "refund_payment", &[("id", "$response.body#/0/id")]),
    ("list_payments", "show_order", &[("id", "$request.path.id")]),
    ("list_orders", "list_orders", &NEXT_PAGE),
    ("list_products", "list_products", &NEXT_PAGE),
    ("list_users", "list_users", &NEXT_PAGE),
];

const NEXT_PAGE: [(&str, &str); 1] = [("cursor", "$response.body#/next_cursor")];

/// Adds the links of an operation to its successful responses.
pub(super) fn describe_links(operation: &mut Operation) {
    let supplies = |from: &str| operation.operation_id.as_deref() == Some(from);
    let links: Vec<_> = LINKS.iter().filter(|(from, ..)| supplies(from)).collect();
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| status.starts_with('2')) {
        let RefOr::T(response) = response else { continue };
        for (_, to, parameters) in &links {
            let link = Link::builder().operation_id(*to);
            let link = parameters.iter().fold(link, |link, (name, value)| link.parameter(*name, *value));
            response.links.insert((*to).to_owned(), RefOr::T(link.build()));
        }
    }
}
