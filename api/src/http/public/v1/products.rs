//! `/v1/products`: products and their stock.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, delete, get, patch, post, web};
use glasshouse_domain::id::ProductId;
use glasshouse_domain::idempotency::StoredResponse;
use glasshouse_domain::product::{Product, ProductChange, ProductError, StockMovement};
use glasshouse_domain::values::{Currency, Money, Name, Quantity, Sku};
use glasshouse_infra::clock;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::lists::List;
use super::{idempotent, schemas};
use crate::config::Limits;
use crate::http::json::{Integer, Json, present};
use crate::http::problem::{Fields, Problem, ProblemBody};
use crate::http::public::extract::{Admin, Caller, IdempotencyHeader, IfMatch, PageQuery};

/// A product of the caller's tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProductBody {
    id: Uuid,
    #[schema(example = "MUG-BLUE")]
    sku: String,
    #[schema(example = "Blue mug")]
    name: String,
    /// The unit price.
    #[schema(value_type = schemas::Amount)]
    price_minor: i64,
    #[schema(value_type = schemas::CurrencyCode)]
    currency: String,
    /// The units that are available.
    #[schema(value_type = schemas::Stock)]
    stock: i32,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<&Product> for ProductBody {
    fn from(product: &Product) -> Self {
        Self {
            id: product.id.uuid(),
            sku: product.sku.to_string(),
            name: product.name.as_str().to_owned(),
            price_minor: product.price.minor(),
            currency: product.price.currency().to_string(),
            stock: product.stock,
            created_at: product.created_at,
        }
    }
}

impl From<Product> for ProductBody {
    fn from(product: Product) -> Self {
        Self::from(&product)
    }
}

fn with_etag(mut response: HttpResponseBuilder, product: &Product) -> HttpResponse {
    response.insert_header(IfMatch::etag(product.version)).json(ProductBody::from(product))
}

/// A new product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProductBody {
    #[schema(value_type = schemas::Sku)]
    sku: String,
    #[schema(value_type = schemas::Name)]
    name: String,
    /// The unit price.
    #[schema(value_type = schemas::Amount)]
    price_minor: Integer,
    #[schema(value_type = schemas::Currency)]
    currency: String,
    /// The initial stock; 0 if absent.
    #[schema(value_type = Option<schemas::Stock>)]
    stock: Option<Integer>,
}

impl NewProductBody {
    fn parse(&self) -> Result<Product, Problem> {
        let mut fields = Fields::default();
        let sku = fields.take("sku", Sku::parse(&self.sku));
        let name = fields.take("name", Name::parse(&self.name));
        let price = price(&mut fields, self.price_minor.0, &self.currency);
        let stock = fields.take("stock", initial_stock(self.stock));
        let (Some(sku), Some(name), Some(price), Some(stock)) = (sku, name, price, stock) else {
            return Err(fields.problem());
        };
        let (id, created_at) = (ProductId::new(), clock::now());
        Ok(Product { id, sku, name, price, stock, archived: false, version: 1, created_at })
    }
}

fn price(fields: &mut Fields, minor: i64, currency: &str) -> Option<Money> {
    let currency = fields.take("currency", Currency::parse(currency));
    let amount = fields.take("price_minor", Money::new(minor, currency.unwrap_or(Currency::USD)));
    amount.filter(|_| currency.is_some())
}

fn initial_stock(stock: Option<Integer>) -> Result<i32, String> {
    match i32::try_from(stock.map_or(0, |stock| stock.0)) {
        Ok(stock @ 0..=Product::MAX_STOCK) => Ok(stock),
        _ => Err(format!("must be from 0 to {}", Product::MAX_STOCK)),
    }
}

/// A partial update of a product: absent fields stay. `price_minor` and `currency` change together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductChangeBody {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = schemas::Name, required = false)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = schemas::Amount, required = false)]
    price_minor: Option<Integer>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = schemas::Currency, required = false)]
    currency: Option<String>,
}

impl ProductChangeBody {
    fn parse(&self) -> Result<ProductChange, Problem> {
        let mut fields = Fields::default();
        let name = self.name.as_deref().and_then(|name| fields.take("name", Name::parse(name)));
        let price = match (self.price_minor, self.currency.as_deref()) {
            (Some(minor), Some(currency)) => price(&mut fields, minor.0, currency),
            (None, None) => None,
            (Some(_), None) => {
                fields.refuse("currency", "must come with price_minor");
                None
            }
            (None, Some(_)) => {
                fields.refuse("price_minor", "must come with currency");
                None
            }
        };
        if fields.are_valid() { Ok(ProductChange { name, price }) } else { Err(fields.problem()) }
    }
}

/// A stock movement.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockBody {
    /// The units to add to the stock, or to remove from it if negative. Not 0.
    #[schema(value_type = schemas::StockDelta)]
    delta: Integer,
}

impl StockBody {
    fn parse(&self) -> Result<StockMovement, Problem> {
        let quantity = Quantity::new(self.delta.0.checked_abs().unwrap_or(i64::MAX));
        let refuse =
            |_| Fields::only("delta", format!("must be from 1 to {0}, or from -{0} to -1", Quantity::MAX));
        let quantity = quantity.map_err(refuse)?;
        Ok(if self.delta.0 > 0 { StockMovement::In(quantity) } else { StockMovement::Out(quantity) })
    }
}

/// The products that are for sale.
#[utoipa::path(
    tag = "products", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of products", body = List<ProductBody>))
)]
#[get("/products")]
pub(super) async fn list_products(
    caller: Caller,
    page: web::Query<PageQuery>,
    limits: web::Data<Limits>,
) -> Result<web::Json<List<ProductBody>>, Problem> {
    let products = caller.store().products(page.parse(&limits)?).await?;
    Ok(web::Json(List::of(products)))
}

/// Add a product (admin).
#[utoipa::path(
    tag = "products", security(("bearer" = [])),
    responses(
        (status = 201, description = "The product", body = ProductBody, headers(("ETag" = String))),
        (status = 403, body = ProblemBody),
        (status = 409, description = "Another product has the SKU", body = ProblemBody),
    )
)]
#[post("/products")]
pub(super) async fn add_product(
    Admin(caller): Admin,
    Json(body): Json<NewProductBody>,
) -> Result<HttpResponse, Problem> {
    let product = body.parse()?;
    caller.store().add_product(&product).await?;
    Ok(with_etag(HttpResponse::Created(), &product))
}

/// Show a product.
#[utoipa::path(
    tag = "products", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The product", body = ProductBody, headers(("ETag" = String))))
)]
#[get("/products/{id}")]
pub(super) async fn show_product(caller: Caller, id: web::Path<Uuid>) -> Result<HttpResponse, Problem> {
    let product = caller.store().product(id.into_inner().into()).await?.ok_or(ProductError::NotFound)?;
    Ok(with_etag(HttpResponse::Ok(), &product))
}

/// Change a product's name or price (admin).
///
/// Orders keep the name and the price of the time when they were placed. Send the `ETag` of the product as `If-Match`; after 412,
/// read the product again.
#[utoipa::path(
    tag = "products", security(("bearer" = [])),
    params(("id" = Uuid, Path), IfMatch),
    responses(
        (status = 200, description = "The changed product", body = ProductBody, headers(("ETag" = String))),
        (status = 403, body = ProblemBody),
    )
)]
#[patch("/products/{id}")]
pub(super) async fn change_product(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    IfMatch(expected): IfMatch,
    Json(body): Json<ProductChangeBody>,
) -> Result<HttpResponse, Problem> {
    let product = caller.store().change_product(id.into_inner().into(), &expected, &body.parse()?).await?;
    Ok(with_etag(HttpResponse::Ok(), &product))
}

/// Archive a product (admin). It can no longer be ordered; existing orders keep it.
#[utoipa::path(
    tag = "products", security(("bearer" = [])),
    params(("id" = Uuid, Path), IfMatch),
    responses((status = 204, description = "The product is archived"), (status = 403, body = ProblemBody))
)]
#[delete("/products/{id}")]
pub(super) async fn archive_product(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    IfMatch(expected): IfMatch,
) -> Result<HttpResponse, Problem> {
    caller.store().archive_product(id.into_inner().into(), &expected).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Add or remove stock of a product (admin).
///
/// `delta` is added to what there is at the time of the request, so two movements at once are both counted. The same
/// `Idempotency-Key` moves the stock once.
#[utoipa::path(
    tag = "products", security(("bearer" = [])),
    params(("id" = Uuid, Path), IdempotencyHeader),
    responses(
        (status = 200, description = "The product with its new stock", body = ProductBody),
        (status = 403, body = ProblemBody),
        (status = 409, description = "The stock would become negative, or exceed its maximum", body = ProblemBody),
    )
)]
#[post("/products/{id}/stock")]
pub(super) async fn move_product_stock(
    Admin(caller): Admin,
    id: web::Path<Uuid>,
    key: IdempotencyHeader,
    Json(body): Json<StockBody>,
) -> Result<HttpResponse, Problem> {
    let movement = body.parse()?;
    let request = key.into_request(&caller, &body, stock_response)?;
    let outcome = caller.store().move_stock(id.into_inner().into(), movement, &request).await?;
    Ok(idempotent::respond(outcome, stock_response))
}

fn stock_response(product: &Product) -> StoredResponse {
    idempotent::response(StatusCode::OK, &ProductBody::from(product))
}
