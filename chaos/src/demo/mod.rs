//! Faults of the demo, which keeps its data in a SQLite file: customers act, and the books are checked after each.

mod faults;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::time::sleep;

pub(crate) use faults::DemoFault;

use crate::books::{self, Audited, Books};
use crate::load::{Counters, Journal, Load, Shop};
use crate::recovery::{MARGIN, RECOVERY_TIMEOUT, wait_for_order};
use crate::report::{self, Outcome, Report};
use crate::run::Plan;
use crate::system::Demo;

/// Injects the faults of the plan that concern the demo.
///
/// # Errors
/// The demo does not start, or a fault cannot be healed.
pub(crate) async fn run(binary: &Path, plan: &Plan, report: &mut Report) -> Result<()> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let schedule = schedule(plan, &mut random);
    if schedule.is_empty() {
        return Ok(());
    }
    let mut run = Run::start(binary, random).await?;
    for (number, fault) in schedule.iter().enumerate() {
        let title = format!("[demo {}/{}] {fault}", number + 1, schedule.len());
        if fault.needs_disk() && !run.demo.disk.can_be_full() {
            report::print(&format!(
                "{title}: skipped, this user may not mount file systems (unshare --mount)"
            ));
            continue;
        }
        let outcome = run.exercise(*fault, plan.duration).await.with_context(|| fault.to_string())?;
        report::print(&format!("{title}: {outcome}"));
        report.add(fault.kind().to_owned(), &outcome);
        if plan.fail_fast && !report.is_clean() {
            break;
        }
    }
    Ok(())
}

/// The faults in the order of the seed.
fn schedule(plan: &Plan, random: &mut StdRng) -> Vec<DemoFault> {
    let mut faults: Vec<_> = (0..plan.demo_kills).map(|_| DemoFault::kill(random)).collect();
    for _ in 0..plan.repetitions {
        faults.extend_from_slice(&plan.demo_faults);
    }
    faults.retain(|fault| plan.names(fault.kind()));
    faults.shuffle(random);
    faults
}

/// The demo with its customers.
struct Run {
    demo: Demo,
    shops: Vec<Shop>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    books: Books,
    random: StdRng,
    loads: u64,
}

impl Run {
    async fn start(binary: &Path, random: StdRng) -> Result<Self> {
        let demo = Demo::start(binary).await?;
        let address = demo.address()?;
        let mut shops = Vec::new();
        for slug in ["east", "west"] {
            shops.push(Shop::open(&[address], slug).await?);
        }
        let journal = Arc::new(Journal::create(&demo.folder().join("journal.jsonl"))?);
        // The demo has products of its own.
        let initial_stock = books::units_received(&demo.connect().await?).await?;
        let books = Books::new(demo.ledger()?, initial_stock);
        Ok(Self { demo, shops, journal, counters: Arc::default(), books, random, loads: 0 })
    }

    /// Injects a fault under load, waits for the recovery, and checks the books.
    async fn exercise(&mut self, fault: DemoFault, duration: Duration) -> Result<Outcome> {
        let before = self.counters.counts();
        self.loads += 1;
        let load = Load::start(&self.shops, &self.journal, &self.counters, self.loads);
        sleep(MARGIN).await;
        let ended = fault.happen(&mut self.demo, duration, &mut self.random).await?;
        let during = self.counters.counts().since(before);
        wait_for_order(&self.shops[0], &self.shops[0].apis()[0], &self.journal).await?;
        self.demo.replica.wait_until_ready(RECOVERY_TIMEOUT).await?;
        let recovery = ended.elapsed();
        sleep(MARGIN).await;
        load.stop().await;
        let mut findings = self.books.check(&self.demo, &self.journal).await?;
        findings.extend(self.journal.take_complaints());
        let counts = self.counters.counts().since(before);
        Ok(Outcome { took_effect: during.failed > 0, counts, recovery, findings })
    }
}
