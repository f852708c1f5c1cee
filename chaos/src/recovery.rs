//! Waits until a system works again after a fault.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::load::{Journal, Shop};
use crate::system::Api;

/// The load before and after each fault.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);
/// How long the system may take until it works again after a fault.
pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Orders one piece until an order is paid. Retries a request without a final answer with the same key, as customers do.
///
/// # Errors
/// No order is paid in time.
pub(crate) async fn wait_for_order(shop: &Shop, api: &Api, journal: &Journal) -> Result<()> {
    let deadline = Instant::now() + RECOVERY_TIMEOUT;
    let (mut key, mut last) = (new_key(), String::new());
    while Instant::now() < deadline {
        match api.order(shop.product(), &key).await {
            Ok((status, order)) if status.is_success() => {
                journal.new_order(shop.slug(), &order);
                if order["status"] == "paid" {
                    return Ok(());
                }
                (key, last) = (new_key(), order.to_string());
            }
            Ok((status, body)) => last = format!("{status} {body}"),
            Err(error) => last = error.to_string(),
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("no order could be placed within {RECOVERY_TIMEOUT:?}: {last}")
}

fn new_key() -> String {
    uuid::Uuid::now_v7().to_string()
}
