//! The limit: `pgbench`, which sends the statements of an endpoint and does nothing else.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use uuid::Uuid;

use crate::bench::Cost;
use crate::shop::Shop;

/// The clients of `pgbench`, each of which is a user of [`Shop::customers`].
const CLIENTS: usize = 20;

/// Sends the statements of a script in `statements` for a time, as the role of this URL. The cost is that of a transaction of
/// the script.
pub(crate) fn run(shop: &Shop, url: &str, script: &str, length: Duration) -> Cost {
    let before = shop.postgres_seconds();
    let rate = rate(url, script, length);
    shop.wait_for_the_end_of("pgbench");
    let transactions = rate * length.as_secs_f64();
    let postgres = (shop.postgres_seconds() - before) * 1000.0 / transactions;
    Cost { rate, service: 0.0, postgres, clients: 0.0 }
}

/// The transactions per second.
fn rate(url: &str, script: &str, length: Duration) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/performance/statements").join(script);
    // The first part of a UUID of version 7 is the time.
    let ids = Uuid::now_v7().to_string()[..24].to_owned();
    let mut pgbench = Command::new(program());
    pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    pgbench.arg(format!("--client={CLIENTS}")).arg(format!("--time={}", length.as_secs().max(1)));
    // As the service sets it for its sessions.
    pgbench.env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan");
    pgbench.args(["--define=number=0", &format!("--define=ids={ids}")]);
    let output = pgbench.arg("--file").arg(script).arg(url).output().unwrap();
    let (report, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "pgbench: {errors}");
    let tps = report.lines().find_map(|line| line.strip_prefix("tps = ")).expect("pgbench reports its rate");
    tps.split(' ').next().unwrap().parse().unwrap()
}

/// Debian keeps the program beside those of the server.
fn program() -> String {
    let folder = Command::new("pg_config").arg("--bindir").output();
    let folder = folder.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let beside = format!("{}/pgbench", folder.unwrap_or_default());
    if Path::new(&beside).exists() { beside } else { "pgbench".to_owned() }
}
