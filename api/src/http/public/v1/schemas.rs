//! The schemas of values in bodies and queries, made of the rules of the domain. Each type here is a component of the
//! OpenAPI document, which a body names as the `value_type` of a field; none has a value. The texts of a response have
//! no such schema: an earlier version may have stored what the rules reject now.

use std::fmt::Display;

use glasshouse_domain::order::OrderState;
use glasshouse_domain::page::Cursor as PageCursor;
use glasshouse_domain::payment::PaymentState;
use glasshouse_domain::product::Product;
use glasshouse_domain::tenant::Plan as TenantPlan;
use glasshouse_domain::user::Role as UserRole;
use glasshouse_domain::values;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::tenants::SOURCES;

macro_rules! schemas {
    ($(#[doc = $description:literal] $name:ident = $schema:expr;)+) => { $(
        #[doc = $description]
        pub(in crate::http::public) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.description(Some($description.trim_start())).into()
            }
        }

        impl ToSchema for $name {}
    )+ };
}

schemas! {
    /// The identifier of a tenant in logins.
    Slug = text(values::Slug::MIN_CHARS, values::Slug::MAX_CHARS)
        .pattern(Some(values::Slug::PATTERN))
        .examples(["acme"]);
    /// A display name. Surrounding whitespace is removed.
    Name = text(1, values::Name::MAX_CHARS).pattern(Some(values::Name::PATTERN)).examples(["Blue mug"]);
    /// The plan, which sets the rate limit.
    Plan = one_of(TenantPlan::ALL);
    /// The plan of a new tenant.
    SignUpPlan = one_of([TenantPlan::Free]);
    /// The acquisition channel.
    Source = one_of(SOURCES);
    /// An email address. Upper-case letters become lower-case.
    Email = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Email))).examples(["ada@acme.example"]);
    /// A new password.
    Password = text(values::Password::MIN_CHARS, values::Password::MAX_CHARS)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    /// The permissions of a user; each role includes those of the roles before it.
    Role = one_of(UserRole::ALL);
    /// The tenant's code for a product. Lower-case letters become upper-case.
    Sku = text(1, values::Sku::MAX_CHARS).pattern(Some(values::Sku::PATTERN)).examples(["MUG-BLUE"]);
    /// An amount in minor units of its currency (cents for USD).
    Amount = integer(0, values::Money::MAX_MINOR).examples([1250]);
    /// A currency of ISO 4217 that is in circulation.
    Currency = one_of(values::Currency::in_circulation()).examples(["USD"]);
    /// A currency of ISO 4217, which may be out of circulation since.
    CurrencyCode = string().pattern(Some("^[A-Z]{3}$")).examples(["USD"]);
    /// A number of units in stock.
    Stock = integer(0, Product::MAX_STOCK.into()).examples([100]);
    /// A number of units.
    Quantity = integer(1, values::Quantity::MAX.into()).examples([2]);
    /// The units to add to the stock, or to remove from it if negative.
    StockDelta = OneOfBuilder::new()
        .item(integer(1, values::Quantity::MAX.into()))
        .item(integer(-i64::from(values::Quantity::MAX), -1))
        .examples([25]);
    /// The state of an order.
    OrderStatus = one_of(OrderState::ALL);
    /// The state of a payment.
    PaymentStatus = one_of(PaymentState::ALL);
    /// The position of a page: the `next_cursor` of the previous one.
    Cursor = string().pattern(Some(PageCursor::PATTERN));
    /// A day in UTC.
    Day = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).examples(["2026-01-31"]);
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text(min_chars: usize, max_chars: usize) -> ObjectBuilder {
    string().min_length(Some(min_chars)).max_length(Some(max_chars))
}

fn integer(minimum: i64, maximum: i64) -> ObjectBuilder {
    let integer =
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(minimum)).maximum(Some(maximum));
    integer.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn one_of<T: Display>(values: impl IntoIterator<Item = T>) -> ObjectBuilder {
    string().enum_values(Some(values.into_iter().map(|value| value.to_string())))
}
