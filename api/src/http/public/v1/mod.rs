//! Version 1 of the public interface. Each module holds the handlers of one resource, with their request and
//! response bodies.

mod auth;
mod idempotent;
mod lists;
mod orders;
mod password_resets;
mod passwords;
mod payments;
mod products;
mod reports;
pub(super) mod schemas;
mod tenants;
mod users;

use actix_web::middleware::from_fn;
use actix_web::web;
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use super::middleware::{authenticate, limit_rate, share_places};
use crate::http::unknown_route::unknown_route;

/// All routes below `/v1`. The middleware that is wrapped last runs first.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        scope("/v1")
            .service(tenants::sign_up)
            .service(auth::log_in)
            .service(password_resets::request_password_reset)
            .service(password_resets::reset_password)
            .service(passwords::change_password)
            .service(users::show_me)
            // The next pattern matches this path too.
            .route("/users/me", web::to(unknown_route))
            .service(users::list_users)
            .service(users::add_user)
            .service(users::show_user)
            .service(users::change_user)
            .service(users::deactivate_user)
            .service(products::list_products)
            .service(products::add_product)
            .service(products::show_product)
            .service(products::change_product)
            .service(products::archive_product)
            .service(products::move_product_stock)
            .service(orders::place_order)
            .service(orders::list_orders)
            .service(orders::show_order)
            .service(orders::cancel_order)
            .service(orders::list_payments)
            .service(payments::refund_payment)
            .service(reports::report_revenue)
            .wrap(from_fn(limit_rate))
            .wrap(from_fn(authenticate))
            .wrap(from_fn(share_places)),
    );
}
