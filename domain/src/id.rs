//! Identifiers: one type for each entity, so that an order's id cannot be passed as a product's.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Generates a UUIDv7. Ids sort by creation time, and pagination relies on that.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each call generates another id")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as it is stored.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Identifies a tenant.
    TenantId
);
id!(
    /// Identifies a user of one tenant.
    UserId
);
id!(
    /// Identifies a product of one tenant.
    ProductId
);
id!(
    /// Identifies an order.
    OrderId
);
id!(
    /// Identifies a payment. It is also the payment's idempotency key at the gateway, in all of its requests.
    PaymentId
);
id!(
    /// Identifies an outbox message.
    MessageId
);
