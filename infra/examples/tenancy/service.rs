//! The service: two tenants place orders. Neither sees the other's, and each order is delivered once.

use std::error::Error;
use std::time::Duration;

use glasshouse_domain::id::TenantId;
use glasshouse_domain::outbox::Delivery;

use crate::db::{Database, Lease};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Connects as the service and as the owner of its tables, and fails unless both promises hold.
pub(crate) async fn run(url: &str, owner: &str) -> Result<()> {
    let database = Database::connect(url, owner).await?;
    let (acme, globex) = (TenantId::new(), TenantId::new());
    let (acme, globex) = (database.tenant(acme), database.tenant(globex));
    let mug = acme.place_order("a blue mug").await?;
    let lamp = globex.place_order("a lamp").await?;

    assert_eq!(acme.orders().await?, ["a blue mug"]);
    assert_eq!(globex.orders().await?, ["a lamp"]);
    assert!(acme.order(mug).await?.is_some());
    assert!(acme.order(lamp).await?.is_none(), "another tenant's order does not exist");
    assert_eq!(database.orders_without_a_tenant().await?, if database.is_postgres() { 0 } else { 2 });

    let queue = database.work_queue();
    let lease = Lease { length: Duration::from_secs(60), at_most: 10 };
    let leased = queue.lease_outbox_messages(lease).await?;
    assert_eq!(leased.len(), 2);
    assert!(queue.lease_outbox_messages(lease).await?.is_empty(), "they are leased");
    for message in &leased {
        // Here the service calls whoever gets the message, with `message.item().id` as the key that deduplicates it.
        assert_eq!(message.item().kind(), "order_paid");
        assert_eq!(message.store().delivered(message.item()).await?, Delivery::Completed);
        let again = message.store().delivered(message.item()).await?;
        assert_eq!(again, Delivery::LeaseLost, "it is delivered already");
    }
    Ok(())
}
