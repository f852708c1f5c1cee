//! `/v1/orders`: placing, listing and cancelling orders.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use glasshouse_domain::cancel::{CancelStore, Canceller};
use glasshouse_domain::checkout::check_out;
use glasshouse_domain::id::{OrderId, PaymentId};
use glasshouse_domain::idempotency::{Idempotent, StoredResponse};
use glasshouse_domain::order::{Basket, Order, OrderDraft, OrderItem, OrderState};
use glasshouse_domain::values::Quantity;
use glasshouse_infra::payment_gateway::GatewayClient;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::idempotent;
use super::lists::List;
use super::payments::PaymentBody;
use super::schemas;
use crate::config::Limits;
use crate::http::json::{Integer, Json, objects};
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::{Caller, IdempotencyHeader, PageQuery};
use crate::http::public::middleware::RequestSpan;

/// An order of the caller's tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderBody {
    id: Uuid,
    #[schema(value_type = schemas::OrderStatus)]
    status: &'static str,
    /// The user who placed it.
    placed_by: Uuid,
    items: Vec<OrderItemBody>,
    /// The sum of the items.
    #[schema(value_type = schemas::Amount)]
    total_minor: i64,
    #[schema(value_type = schemas::CurrencyCode)]
    currency: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// An item of an order, with the name and the price of the product when the order was placed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderItemBody {
    product_id: Uuid,
    sku: String,
    name: String,
    #[schema(value_type = schemas::Quantity)]
    quantity: i32,
    /// The price of one piece, in the currency of the order.
    #[schema(value_type = schemas::Amount)]
    unit_price_minor: i64,
}

impl From<OrderItem> for OrderItemBody {
    fn from(item: OrderItem) -> Self {
        Self {
            product_id: item.product.uuid(),
            sku: item.sku.into(),
            name: item.name.into(),
            quantity: item.quantity.get(),
            unit_price_minor: item.unit_price.minor(),
        }
    }
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        Self {
            id: order.id.uuid(),
            status: order.state.as_str(),
            placed_by: order.placed_by.uuid(),
            items: order.items.into_iter().map(Into::into).collect(),
            total_minor: order.total.minor(),
            currency: order.total.currency().to_string(),
            created_at: order.created_at,
        }
    }
}

impl From<&Order> for OrderBody {
    fn from(order: &Order) -> Self {
        order.clone().into()
    }
}

/// A new order.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceOrderBody {
    /// At least one item. Items of the same product are merged.
    #[serde(deserialize_with = "objects")]
    #[schema(min_items = 1)]
    items: Vec<PlaceItemBody>,
}

/// An item of a new order.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceItemBody {
    product_id: Uuid,
    #[schema(value_type = schemas::Quantity)]
    quantity: Integer,
}

impl PlaceOrderBody {
    fn draft(&self, caller: &Caller, max_items: usize) -> Result<OrderDraft, Problem> {
        let mut fields = Fields::default();
        let mut lines = Vec::with_capacity(self.items.len());
        for (index, item) in self.items.iter().enumerate() {
            let quantity = fields.take(format!("items[{index}].quantity"), Quantity::new(item.quantity.0));
            lines.extend(quantity.map(|quantity| (item.product_id.into(), quantity)));
        }
        if !fields.are_valid() {
            return Err(fields.problem());
        }
        let basket = Basket::new(lines, max_items).map_err(|error| Fields::only("items", error))?;
        Ok(OrderDraft { order: OrderId::new(), payment: PaymentId::new(), placed_by: caller.user(), basket })
    }
}

/// Place an order and pay for it.
///
/// Reserves the stock, charges the payment, and settles both. If a product is out of stock, nothing is stored or charged (409).
/// A declined payment is 201 with `payment_failed`, and its stock is available again. If the payment gateway does not decide in
/// time, the response is 202 and the order is `pending`: poll it, it is settled in the background. Repeat a request without a
/// response with the same `Idempotency-Key`: the order is placed and charged once.
#[utoipa::path(
    tag = "orders", security(("bearer" = [])),
    params(IdempotencyHeader),
    responses(
        (status = 201, description = "The order is `paid` or `payment_failed`", body = OrderBody),
        (status = 202, description = "The payment gateway has not decided yet: poll the order", body = OrderBody),
        (status = 409, description = "Out of stock", body = ProblemBody),
    )
)]
#[post("/orders")]
pub(super) async fn place_order(
    caller: Caller,
    key: IdempotencyHeader,
    Json(body): Json<PlaceOrderBody>,
    gateway: web::Data<GatewayClient>,
    limits: web::Data<Limits>,
) -> Result<HttpResponse, Problem> {
    let draft = body.draft(&caller, limits.order_items)?;
    let request = key.into_request(&caller, &body, placed_response)?;
    let outcome = check_out(caller.store(), gateway.get_ref(), &draft, &request).await?;
    if let Idempotent::Executed(order) = &outcome {
        RequestSpan::record_order(order.id);
        RequestSpan::record_payment(draft.payment);
    }
    Ok(idempotent::respond(outcome, placed_response))
}

/// A declined payment is 201 as well: the order exists, and the client needs its id.
fn placed_response(order: &Order) -> StoredResponse {
    let status = match order.state {
        OrderState::Pending => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    idempotent::response(status, &OrderBody::from(order))
}

/// The filter of the list of orders.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// Only orders with this status.
    #[param(value_type = Option<schemas::OrderStatus>, inline)]
    status: Option<String>,
}

impl OrdersQuery {
    fn state(&self) -> Result<Option<OrderState>, Problem> {
        let state = self.status.as_deref().map(str::parse).transpose();
        let all: Vec<_> = OrderState::ALL.iter().map(|state| state.as_str()).collect();
        state.map_err(|_| Fields::only("status", format!("must be one of {}", all.join(", "))))
    }
}

/// List the orders of the tenant, newest first.
///
/// `next_cursor` is the `cursor` of the next page, with the same `status`.
#[utoipa::path(
    tag = "orders", security(("bearer" = [])), params(PageQuery, OrdersQuery),
    responses((status = 200, description = "A page of orders", body = List<OrderBody>))
)]
#[get("/orders")]
pub(super) async fn list_orders(
    caller: Caller,
    page: web::Query<PageQuery>,
    filter: web::Query<OrdersQuery>,
    limits: web::Data<Limits>,
) -> Result<web::Json<List<OrderBody>>, Problem> {
    let orders = caller.store().orders(page.parse(&limits)?, filter.state()?).await?;
    Ok(web::Json(List::of(orders)))
}

/// Show an order.
#[utoipa::path(
    tag = "orders", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The order", body = OrderBody))
)]
#[get("/orders/{id}")]
pub(super) async fn show_order(caller: Caller, id: web::Path<Uuid>) -> Result<web::Json<OrderBody>, Problem> {
    let order = caller.store().order(order_of(id)).await?.ok_or_else(no_such_order)?;
    Ok(web::Json(order.into()))
}

/// Cancel a pending order: one of your own, or as an admin any order of the tenant.
///
/// The stock is available again at once. If the payment gateway has charged the payment all the same, or still does, it is voided
/// or refunded in the background. An order that is paid is not cancelled but refunded.
#[utoipa::path(
    tag = "orders", security(("bearer" = [])),
    params(("id" = Uuid, Path), IdempotencyHeader),
    responses(
        (status = 200, description = "The cancelled order", body = OrderBody),
        (status = 403, description = "The order is not yours, and you are no admin", body = ProblemBody),
        (status = 409, description = "The order is not pending", body = ProblemBody),
    )
)]
#[post("/orders/{id}/cancel")]
pub(super) async fn cancel_order(
    caller: Caller,
    id: web::Path<Uuid>,
    key: IdempotencyHeader,
) -> Result<HttpResponse, Problem> {
    let request = key.into_request(&caller, &(), cancelled_response)?;
    let canceller = Canceller { user: caller.user(), role: caller.role() };
    let outcome = caller.store().cancel(order_of(id), canceller, &request).await?;
    Ok(idempotent::respond(outcome, cancelled_response))
}

fn cancelled_response(order: &Order) -> StoredResponse {
    idempotent::response(StatusCode::OK, &OrderBody::from(order))
}

/// List the payments of an order.
#[utoipa::path(
    tag = "orders", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The payments", body = Vec<PaymentBody>))
)]
#[get("/orders/{id}/payments")]
pub(super) async fn list_payments(
    caller: Caller,
    id: web::Path<Uuid>,
) -> Result<web::Json<Vec<PaymentBody>>, Problem> {
    let payments = caller.store().payments_of(order_of(id)).await?.ok_or_else(no_such_order)?;
    Ok(web::Json(payments.iter().map(Into::into).collect()))
}

/// The order id of the path, which is recorded on the request's span.
fn order_of(path: web::Path<Uuid>) -> OrderId {
    let order = path.into_inner().into();
    RequestSpan::record_order(order);
    order
}

fn no_such_order() -> Problem {
    Problem::not_found("there is no such order")
}
