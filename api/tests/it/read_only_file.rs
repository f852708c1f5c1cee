//! A SQLite file that becomes read-only: the demo says so, acknowledges nothing, and goes on without a restart.

use crate::full_disk::Disk;
use crate::support::{concurrently, eventually, new_slug};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_file_is_reported_and_used_again_when_it_is_writable() {
    let Some(disk) = Disk::small().await else { return };
    let mut demo = disk.start_demo();
    let anonymous = demo.client("http_addr").await;
    let owner = anonymous.sign_up(&new_slug()).await;
    let product = owner.add_product(1000).await;
    let mut orders = Vec::new();
    for _ in 0..2 {
        for order in concurrently((0..8).map(|_| owner.order(&product, 1))).await {
            orders.push(order.expect(201)["id"].clone());
        }
        disk.make_read_only();
        for _ in 0..3 {
            for order in concurrently((0..8).map(|_| owner.order(&product, 1))).await {
                assert_eq!(order.header("retry-after"), "1");
                order.expect_problem(503, "storage_unavailable");
            }
        }
        eventually("the demo is not ready", async || {
            let ready = anonymous.get("/health/ready").await;
            (ready.status == 503).then(|| assert_eq!(ready["checks"]["database"], "error: unavailable"))
        })
        .await;
        let records = demo.stdout();
        assert!(records.contains("is read-only: make it writable"), "{records}");

        disk.make_writable();
        for order in concurrently((0..8).map(|_| owner.order(&product, 1))).await {
            orders.push(order.expect(201)["id"].clone());
        }
        eventually("the demo is ready", async || {
            (anonymous.get("/health/ready").await.status == 200).then_some(())
        })
        .await;
    }
    for order in &orders {
        owner.get(&format!("/v1/orders/{}", order.as_str().unwrap())).await.expect(200);
    }
    assert_eq!(owner.stock(&product).await, 1000 - i64::try_from(orders.len()).unwrap());
}
