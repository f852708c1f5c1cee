//! Orders: what somebody wants to buy, and the states that it goes through.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::id::{OrderId, PaymentId, ProductId, UserId};
use crate::product::Product;
use crate::text_enum::text_enum;
use crate::values::{Money, MoneyError, Name, Quantity, QuantityError, Sku};

text_enum! {
    /// Where an order stands.
    ///
    /// ```text
    /// pending ─┬─> paid ──> refunded
    ///          ├─> payment_failed
    ///          └─> cancelled
    /// ```
    pub enum OrderState: "order state" {
        /// Its stock is taken, its payment is not decided yet.
        Pending = "pending",
        /// Paid for.
        Paid = "paid",
        /// The payment was declined; its stock is free again.
        PaymentFailed = "payment_failed",
        /// Withdrawn before it was paid; its stock is free again.
        Cancelled = "cancelled",
        /// Paid for, and the money went back. The stock stays taken: goods come back by a stock movement,
        /// once they have arrived.
        Refunded = "refunded",
    }
}

impl OrderState {
    /// Whether an order in this state may go to the state `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::PaymentFailed | Self::Cancelled)
                | (Self::Paid, Self::Refunded)
        )
    }
}

/// What somebody asked for, before prices are known: each product once, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket(BTreeMap<ProductId, Quantity>);

/// Why a list of products is no basket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BasketError {
    /// Nothing in it.
    #[error("must have at least one item")]
    Empty,
    /// More lines than the configuration allows.
    #[error("must have at most {0} items")]
    TooManyItems(usize),
    /// Several lines of one product that together exceed the bound.
    #[error("the quantity of one product {0}")]
    Quantity(#[from] QuantityError),
}

impl Basket {
    /// A basket of these lines. Lines of the same product are added up.
    ///
    /// # Errors
    /// When there is none, more than `max_items`, or too many pieces of one product.
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
                Some(&before) => quantity.plus(before)?,
                None => quantity,
            };
            basket.insert(product, sum);
        }
        Ok(Self(basket))
    }

    /// The products and how many of each, in the order of their ids: the order in which their rows are
    /// locked, so that two orders never wait for each other.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (ProductId, Quantity)> {
        self.0.iter().map(|(product, quantity)| (*product, *quantity))
    }
}

/// One product of an order, with its name and price of that moment.
#[derive(Clone, Debug)]
pub struct OrderItem {
    /// Which product.
    pub product: ProductId,
    /// Its code when it was ordered.
    pub sku: Sku,
    /// Its name when it was ordered.
    pub name: Name,
    /// Its price when it was ordered.
    pub unit_price: Money,
    /// How many.
    pub quantity: Quantity,
}

/// A purchase by one user.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who placed it.
    pub placed_by: UserId,
    /// Where it stands.
    pub state: OrderState,
    /// What was bought, at least one.
    pub items: Vec<OrderItem>,
    /// The sum of all items.
    pub total: Money,
    /// When it was placed.
    pub created_at: OffsetDateTime,
}

impl Order {
    /// The same order, where it stands now.
    #[must_use]
    pub fn in_state(self, state: OrderState) -> Self {
        Self { state, ..self }
    }
}

/// The ids and the time of a new order, chosen before anything is stored.
#[derive(Clone, Debug)]
pub struct OrderDraft {
    /// The order's id to be.
    pub order: OrderId,
    /// The id of its one payment to be.
    pub payment: PaymentId,
    /// Who places it.
    pub placed_by: UserId,
    /// What they want.
    pub basket: Basket,
    /// Now.
    pub created_at: OffsetDateTime,
}

/// Why a basket cannot be priced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// A product of the basket is not among those given.
    #[error("there is no product {0}")]
    UnknownProduct(ProductId),
    /// The sum cannot be made.
    #[error("the total {0}")]
    Total(#[from] MoneyError),
}

impl OrderDraft {
    /// The order, at the products' prices of now.
    ///
    /// # Errors
    /// When a product is missing, the currencies differ or the total is too large.
    pub fn price(&self, products: &[Product]) -> Result<Order, PricingError> {
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
            created_at: self.created_at,
        })
    }
}

/// The sum of all items. A basket is never empty, so the first item sets the currency.
fn total(items: &[OrderItem]) -> Result<Money, MoneyError> {
    let currency = items.first().map_or(iso_currency::Currency::USD, |item| item.unit_price.currency());
    items.iter().try_fold(Money::zero(currency), |sum, item| sum.plus(item.unit_price.times(item.quantity)?))
}

#[cfg(test)]
mod tests {
    use iso_currency::Currency;
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
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_states_form_the_graph_of_the_docs() {
        use OrderState::*;
        let allowed: Vec<_> = OrderState::ALL
            .iter()
            .flat_map(|from| OrderState::ALL.iter().map(|to| (*from, *to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        let expected = [(Pending, Paid), (Pending, PaymentFailed), (Pending, Cancelled), (Paid, Refunded)];
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_basket_adds_up_lines_of_one_product_and_knows_its_bounds() {
        let (mug, two) = (ProductId::new(), Quantity::new(2).unwrap());
        let basket = Basket::new(vec![(mug, two), (mug, two)], 2).unwrap();
        assert_eq!(basket.lines().collect::<Vec<_>>(), [(mug, Quantity::new(4).unwrap())]);
        assert_eq!(Basket::new(vec![], 2), Err(BasketError::Empty));
        assert_eq!(Basket::new(vec![(mug, two); 3], 2), Err(BasketError::TooManyItems(2)));
        let most = Quantity::new(Quantity::MAX.into()).unwrap();
        assert!(matches!(Basket::new(vec![(mug, most), (mug, two)], 2), Err(BasketError::Quantity(_))));
    }

    #[test]
    fn a_total_that_cannot_be_held_is_refused() {
        let dear = product(Money::MAX_MINOR, Currency::USD);
        let too_many = draft(vec![(dear.id, 2)]).price(&[dear]);
        assert_eq!(too_many.unwrap_err(), PricingError::Total(MoneyError::TooLarge));

        let (dollars, euros) = (product(1, Currency::USD), product(1, Currency::EUR));
        let mixed = draft(vec![(dollars.id, 1), (euros.id, 1)]).price(&[dollars, euros]);
        assert!(matches!(mixed.unwrap_err(), PricingError::Total(MoneyError::MixedCurrencies(..))));
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_its_items(lines in prop::collection::vec((0_i64..1_000_000, 1_i64..1000), 1..20)) {
            let products: Vec<_> = lines.iter().map(|(price, _)| product(*price, Currency::USD)).collect();
            let wanted = products.iter().zip(&lines).map(|(product, (_, n))| (product.id, *n)).collect();
            let order = draft(wanted).price(&products).unwrap();
            let expected: i64 = lines.iter().map(|(price, n)| price * n).sum();
            prop_assert_eq!(order.total.minor(), expected);
            prop_assert_eq!(order.items.len(), lines.len());
        }
    }
}
