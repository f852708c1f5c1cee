//! Orders: baskets, prices, and the states of an order.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::id::{OrderId, PaymentId, ProductId, UserId};
use crate::product::Product;
use crate::text_enum::text_enum;
use crate::values::{Currency, Money, MoneyError, Name, Quantity, QuantityError, Sku};

text_enum! {
    /// The state of an order.
    ///
    /// ```text
    /// pending ─┬─> paid ──> refunded
    ///          ├─> payment_failed
    ///          └─> cancelled
    /// ```
    pub enum OrderState: "order state" {
        /// The stock is reserved; the payment is pending.
        Pending = "pending",
        /// The payment succeeded.
        Paid = "paid",
        /// The payment was declined, and the stock released.
        PaymentFailed = "payment_failed",
        /// Cancelled before it was paid, and the stock released.
        Cancelled = "cancelled",
        /// Paid and refunded. The stock is not released: returned goods are a stock movement, once they have
        /// arrived.
        Refunded = "refunded",
    }
}

impl OrderState {
    /// Whether the transition from this state to `next` exists.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::PaymentFailed | Self::Cancelled)
                | (Self::Paid, Self::Refunded)
        )
    }
}

/// The products and quantities of a new order, without prices: at least one product, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket(BTreeMap<ProductId, Quantity>);

/// Why a list of products is not a basket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BasketError {
    /// The list is empty.
    #[error("must have at least one item")]
    Empty,
    /// The list has more lines than allowed, here the maximum.
    #[error("must have at most {0} items")]
    TooManyItems(usize),
    /// The lines of one product add up to more than [`Quantity::MAX`].
    #[error("the quantity of one product {0}")]
    Quantity(#[from] QuantityError),
}

impl Basket {
    /// A basket of these lines. The quantities of lines with the same product are added.
    ///
    /// # Errors
    /// [`BasketError`] when there are no lines, more than `max_items`, or too many units of one product.
    pub fn new(lines: Vec<(ProductId, Quantity)>, max_items: usize) -> Result<Self, BasketError> {
        if lines.is_empty() {
            return Err(BasketError::Empty);
        }
        if lines.len() > max_items {
            return Err(BasketError::TooManyItems(max_items));
        }
        let mut basket = BTreeMap::new();
        for (product, quantity) in lines {
            let sum = match basket.get(&product) {
                Some(&previous) => quantity.plus(previous)?,
                None => quantity,
            };
            basket.insert(product, sum);
        }
        Ok(Self(basket))
    }

    /// The products and their quantities, ordered by product id. Rows are locked in this order, so that
    /// concurrent orders cannot deadlock.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (ProductId, Quantity)> {
        self.0.iter().map(|(product, quantity)| (*product, *quantity))
    }
}

/// One product of an order, with its name and price at the time of the order.
#[derive(Clone, Debug)]
pub struct OrderItem {
    /// The product; its current name and price may differ.
    pub product: ProductId,
    /// The SKU at the time of the order.
    pub sku: Sku,
    /// The name at the time of the order.
    pub name: Name,
    /// The unit price at the time of the order.
    pub unit_price: Money,
    /// The number of units.
    pub quantity: Quantity,
}

/// A purchase by one user.
#[derive(Clone, Debug)]
pub struct Order {
    /// Unique across all tenants.
    pub id: OrderId,
    /// The user who placed the order.
    pub placed_by: UserId,
    /// The current state.
    pub state: OrderState,
    /// The items, at least one.
    pub items: Vec<OrderItem>,
    /// The sum of all items, in their one currency.
    pub total: Money,
    /// The time of the order, in UTC.
    pub created_at: OffsetDateTime,
}

impl Order {
    /// The same order in another state.
    #[must_use]
    pub fn in_state(self, state: OrderState) -> Self {
        Self { state, ..self }
    }
}

/// A new order before it is priced and stored.
#[derive(Clone, Debug)]
pub struct OrderDraft {
    /// The id of the order.
    pub order: OrderId,
    /// The id of its payment.
    pub payment: PaymentId,
    /// The user who places the order.
    pub placed_by: UserId,
    /// The products and quantities.
    pub basket: Basket,
}

/// Why a basket cannot be priced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// No price is given for a product of the basket.
    #[error("there is no product {0}")]
    UnknownProduct(ProductId),
    /// The total cannot be computed.
    #[error("the total {0}")]
    Total(#[from] MoneyError),
}

impl OrderDraft {
    /// The pending order at the prices of `products`, placed at the time `now`.
    ///
    /// # Errors
    /// [`PricingError`] when a product is missing, the currencies differ or the total is too large.
    pub fn price(&self, products: &[Product], now: OffsetDateTime) -> Result<Order, PricingError> {
        let items = self
            .basket
            .lines()
            .map(|(id, quantity)| {
                let product = products.iter().find(|product| product.id == id);
                let product = product.ok_or(PricingError::UnknownProduct(id))?;
                Ok(OrderItem {
                    product: id,
                    sku: product.sku.clone(),
                    name: product.name.clone(),
                    unit_price: product.price,
                    quantity,
                })
            })
            .collect::<Result<Vec<_>, PricingError>>()?;
        Ok(Order {
            id: self.order,
            placed_by: self.placed_by,
            state: OrderState::Pending,
            total: total(&items)?,
            items,
            created_at: now,
        })
    }
}

/// The sum of all items, in the currency of the first one. A basket is never empty.
fn total(items: &[OrderItem]) -> Result<Money, MoneyError> {
    let currency = items.first().map_or(Currency::USD, |item| item.unit_price.currency());
    items.iter().try_fold(Money::zero(currency), |sum, item| sum.plus(item.unit_price.times(item.quantity)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn product(minor: i64, currency: Currency) -> Product {
        Product {
            id: ProductId::new(),
            sku: Sku::parse("MUG").unwrap(),
            name: Name::parse("Mug").unwrap(),
            price: Money::new(minor, currency).unwrap(),
            stock: 5,
            archived: false,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn draft(lines: Vec<(ProductId, i64)>) -> OrderDraft {
        let lines = lines.into_iter().map(|(id, n)| (id, Quantity::new(n).unwrap())).collect();
        OrderDraft {
            order: OrderId::new(),
            payment: PaymentId::new(),
            placed_by: UserId::new(),
            basket: Basket::new(lines, 50).unwrap(),
        }
    }

    #[test]
    fn the_transitions_are_those_of_the_diagram() {
        use OrderState::*;
        let allowed: Vec<_> = OrderState::ALL
            .iter()
            .flat_map(|from| OrderState::ALL.iter().map(|to| (*from, *to)))
            .filter(|(from, to)| from.can_become(*to))
            .collect();
        let expected = [(Pending, Paid), (Pending, PaymentFailed), (Pending, Cancelled), (Paid, Refunded)];
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_basket_adds_lines_of_one_product_and_has_limits() {
        let (mug, two) = (ProductId::new(), Quantity::new(2).unwrap());
        let basket = Basket::new(vec![(mug, two), (mug, two)], 2).unwrap();
        assert_eq!(basket.lines().collect::<Vec<_>>(), [(mug, Quantity::new(4).unwrap())]);
        assert_eq!(Basket::new(vec![], 2), Err(BasketError::Empty));
        assert_eq!(Basket::new(vec![(mug, two); 3], 2), Err(BasketError::TooManyItems(2)));
        let most = Quantity::new(Quantity::MAX.into()).unwrap();
        assert!(matches!(Basket::new(vec![(mug, most), (mug, two)], 2), Err(BasketError::Quantity(_))));
    }

    #[test]
    fn totals_that_are_too_large_or_mix_currencies_are_rejected() {
        let dear = product(Money::MAX_MINOR, Currency::USD);
        let too_many = draft(vec![(dear.id, 2)]).price(&[dear], OffsetDateTime::UNIX_EPOCH);
        assert_eq!(too_many.unwrap_err(), PricingError::Total(MoneyError::TooLarge));

        let (dollars, euros) = (product(1, Currency::USD), product(1, Currency::parse("EUR").unwrap()));
        let mixed =
            draft(vec![(dollars.id, 1), (euros.id, 1)]).price(&[dollars, euros], OffsetDateTime::UNIX_EPOCH);
        assert!(matches!(mixed.unwrap_err(), PricingError::Total(MoneyError::MixedCurrencies(..))));
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_its_items(lines in prop::collection::vec((0_i64..1_000_000, 1_i64..1000), 1..20)) {
            let products: Vec<_> = lines.iter().map(|(price, _)| product(*price, Currency::USD)).collect();
            let wanted = products.iter().zip(&lines).map(|(product, (_, n))| (product.id, *n)).collect();
            let order = draft(wanted).price(&products, OffsetDateTime::UNIX_EPOCH).unwrap();
            let expected: i64 = lines.iter().map(|(price, n)| price * n).sum();
            prop_assert_eq!(order.total.minor(), expected);
            prop_assert_eq!(order.items.len(), lines.len());
        }
    }
}
