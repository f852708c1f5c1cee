//! Quantities of a product.

/// A number of units of a product: 1 to [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i32);

/// Why a number is not a quantity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Quantity::MAX)]
pub struct QuantityError;

impl Quantity {
    /// The maximum quantity of one order item and of one stock movement.
    pub const MAX: i32 = 1_000_000;

    /// A quantity of this many units.
    ///
    /// # Errors
    /// [`QuantityError`] below 1 or above [`Self::MAX`].
    pub fn new(units: i64) -> Result<Self, QuantityError> {
        match i32::try_from(units) {
            Ok(units @ 1..=Self::MAX) => Ok(Self(units)),
            _ => Err(QuantityError),
        }
    }

    /// A quantity from the database.
    #[must_use]
    pub const fn stored(units: i32) -> Self {
        Self(units)
    }

    /// The number of units.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The sum of two quantities.
    ///
    /// # Errors
    /// [`QuantityError`] above [`Self::MAX`].
    pub fn plus(self, other: Self) -> Result<Self, QuantityError> {
        Self::new(i64::from(self.0) + i64::from(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_outside_the_range_are_rejected() {
        for units in [i64::MIN, -1, 0, i64::from(Quantity::MAX) + 1, i64::MAX] {
            assert_eq!(Quantity::new(units), Err(QuantityError));
        }
        let most = Quantity::new(i64::from(Quantity::MAX)).unwrap();
        assert_eq!(most.plus(Quantity::new(1).unwrap()), Err(QuantityError));
    }
}
