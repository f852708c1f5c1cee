/// How many pieces of a product: 1 to [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i32);

/// Why a number is not a quantity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {}", Quantity::MAX)]
pub struct QuantityError;

impl Quantity {
    /// The most pieces in one order line, and the largest single change of stock.
    pub const MAX: i32 = 1_000_000;

    /// Reads a number of pieces.
    ///
    /// # Errors
    /// When it is below 1 or above [`Self::MAX`].
    pub fn new(pieces: i64) -> Result<Self, QuantityError> {
        match i32::try_from(pieces) {
            Ok(pieces @ 1..=Self::MAX) => Ok(Self(pieces)),
            _ => Err(QuantityError),
        }
    }

    /// The number of pieces.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Both together.
    ///
    /// # Errors
    /// When the sum is above [`Self::MAX`].
    pub fn plus(self, other: Self) -> Result<Self, QuantityError> {
        Self::new(i64::from(self.0) + i64::from(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_its_range() {
        for pieces in [i64::MIN, -1, 0, i64::from(Quantity::MAX) + 1, i64::MAX] {
            assert_eq!(Quantity::new(pieces), Err(QuantityError));
        }
        let most = Quantity::new(i64::from(Quantity::MAX)).unwrap();
        assert_eq!(most.plus(Quantity::new(1).unwrap()), Err(QuantityError));
    }
}
