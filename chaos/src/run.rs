//! Injects faults by a seeded schedule while customers act, and checks the books after each.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join;
use glasshouse_drill::project::Project;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::time::sleep;

use crate::books::{self, Books, Finding, Kind};
use crate::demo::{self, DemoFault};
use crate::evidence::Evidence;
use crate::faults::{Fault, Upgrade};
use crate::load::{Counters, Journal, Load, Shop};
use crate::proxy::{FailPoint, Moment};
use crate::recovery::{MARGIN, RECOVERY_TIMEOUT, wait_for_order};
use crate::report::{self, Outcome, Report};
use crate::system::{Binaries, Replica, Role, System};

/// What a run does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The order of the faults and the actions of the customers follow from it. What happens at which moment does not:
    /// the processes run freely.
    pub(crate) seed: u64,
    /// The faults apart from those at fail points.
    pub(crate) faults: Vec<Fault>,
    /// The faults of the demo apart from kills.
    pub(crate) demo_faults: Vec<DemoFault>,
    /// How often each fault is injected.
    pub(crate) repetitions: u32,
    /// How many processes are killed at fail points.
    pub(crate) kills: u32,
    /// How often the demo is killed.
    pub(crate) demo_kills: u32,
    /// How many processes are paused at fail points.
    pub(crate) pauses: u32,
    /// Only faults whose name contains this text.
    pub(crate) only: Option<String>,
    /// Whether the first finding ends the run.
    pub(crate) fail_fast: bool,
    /// How long each fault lasts.
    pub(crate) duration: Duration,
    /// Whether the telemetry is checked after each fault.
    pub(crate) checks_telemetry: bool,
}

/// The load before the first fault, which shows the statements that the processes send.
const WARM_UP: Duration = Duration::from_secs(8);

impl Plan {
    /// Whether faults with this name are wanted.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text.as_str()))
    }

    /// Whether no fault of the servers is wanted.
    fn is_of_demo(&self) -> bool {
        self.kills == 0 && self.pauses == 0 && !self.faults.iter().any(|fault| self.names(&fault.kind()))
    }
}

/// Runs the plan. Returns whether the books balanced after every fault.
///
/// # Errors
/// The system does not start, or a fault cannot be healed.
pub(crate) async fn run(
    binaries: &Binaries,
    project: &Project,
    plan: &Plan,
    markdown: Option<&Path>,
) -> Result<bool> {
    report::print(&format!("seed {}", plan.seed));
    let mut report = Report::new(plan.seed);
    if !plan.is_of_demo() {
        run_servers(binaries, project, plan, &mut report).await?;
    }
    if report.is_clean() || !plan.fail_fast {
        demo::run(&binaries.new, plan, &mut report).await?;
    }
    report::print(&report.table());
    if let Some(page) = markdown {
        report.write_to(page, project)?;
    }
    Ok(report.is_clean())
}

/// Injects the faults of the plan that concern the processes of production and their servers.
async fn run_servers(binaries: &Binaries, project: &Project, plan: &Plan, report: &mut Report) -> Result<()> {
    let mut run = Run::start(binaries, project, plan).await?;
    if run.system.balancer_address().is_none() {
        report::print("HAProxy is not installed, so rolling restarts fail requests: apt-get install haproxy");
    }
    let statements = run.warm_up().await?;
    let mut schedule = schedule(plan, &statements);
    if binaries.old.is_some() {
        // Everything else happens to this version.
        schedule.retain(|fault| *fault != Fault::Upgrade(Upgrade::Schema));
        schedule.insert(0, Fault::Upgrade(Upgrade::Release));
    }
    let impossible: BTreeSet<_> = schedule.iter().filter_map(|fault| fault.obstacle(&run.system)).collect();
    schedule.retain(|fault| fault.obstacle(&run.system).is_none());
    for obstacle in impossible {
        report::print(&format!("some faults are left out: {obstacle}"));
    }
    report::print(&format!(
        "{} statements, {} faults",
        statements.iter().map(|(_, statements)| statements.len()).sum::<usize>(),
        schedule.len()
    ));
    for (number, fault) in schedule.iter().enumerate() {
        let outcome = run.exercise(fault, plan.duration).await.with_context(|| fault.to_string())?;
        report::print(&format!("[{}/{}] {fault}: {outcome}", number + 1, schedule.len()));
        report.add(fault.kind(), &outcome);
        if plan.fail_fast && !report.is_clean() {
            break;
        }
    }
    Ok(())
}

/// The faults in the order of the seed.
fn schedule(plan: &Plan, statements: &[(Role, Vec<String>)]) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut fail_points: Vec<_> = statements
        .iter()
        .flat_map(|(role, statements)| statements.iter().map(move |statement| (*role, statement)))
        .flat_map(|(role, statement)| {
            [Moment::Before, Moment::After]
                .map(|moment| (role, FailPoint { statement: statement.clone(), moment }))
        })
        .collect();
    let mut some = |number: u32| {
        fail_points.shuffle(&mut random);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        fail_points.iter().cycle().take(number).cloned().collect::<Vec<_>>()
    };
    let kills = some(plan.kills).into_iter().map(|(role, fail_point)| Fault::KillAt(role, fail_point));
    let mut faults: Vec<_> = kills.collect();
    faults.extend(some(plan.pauses).into_iter().map(|(role, fail_point)| Fault::PauseAt(role, fail_point)));
    for _ in 0..plan.repetitions {
        faults.extend_from_slice(&plan.faults);
    }
    faults.retain(|fault| plan.names(&fault.kind()) || plan.names(&fault.to_string()));
    faults.shuffle(&mut random);
    // The schema of this version comes before that of the next one.
    let first = |upgrade| faults.iter().position(|fault| *fault == Fault::Upgrade(upgrade));
    if let (Some(this), Some(next)) = (first(Upgrade::Schema), first(Upgrade::NextSchema))
        && next < this
    {
        faults.swap(this, next);
    }
    faults
}

/// A system under test with its customers.
struct Run {
    system: System,
    shops: Vec<Shop>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    books: Books,
    evidence: Evidence,
    checks_telemetry: bool,
    seed: u64,
}

impl Run {
    async fn start(binaries: &Binaries, project: &Project, plan: &Plan) -> Result<Self> {
        let system = System::start(binaries, project).await?;
        let addresses = system.api_addresses();
        let mut shops = Vec::new();
        for slug in ["north", "south"] {
            shops.push(Shop::open(&addresses, slug).await?);
        }
        let journal = Arc::new(Journal::create(&system.folder().join("journal.jsonl"))?);
        let initial_stock = shops.iter().map(Shop::initial_stock).sum();
        let books = Books::new(system.ledger()?, initial_stock);
        Ok(Self {
            system,
            shops,
            journal,
            counters: Arc::default(),
            books,
            evidence: Evidence::default(),
            checks_telemetry: plan.checks_telemetry,
            seed: plan.seed,
        })
    }

    /// Starts the customers. If they go through the load balancer, no request of theirs may fail.
    fn load(&mut self, balancer: Option<SocketAddr>) -> Load {
        self.seed = self.seed.wrapping_add(1);
        let shops: Vec<_> = match balancer {
            Some(address) => self.shops.iter().map(|shop| shop.only_at(address)).collect(),
            None => self.shops.clone(),
        };
        Load::start(&shops, &self.journal, &self.counters, self.seed)
    }

    /// Lets the customers act without a fault. Returns the statements of each role.
    async fn warm_up(&mut self) -> Result<Vec<(Role, Vec<String>)>> {
        for replica in &self.system.replicas {
            replica.links()?.fail_points.forget();
        }
        let outcome = self.exercise(&Fault::Nothing, WARM_UP).await?;
        report::print(&format!("warm-up: {outcome}"));
        let mut statements = Vec::new();
        for role in [Role::Api, Role::Worker] {
            let mut seen = BTreeSet::new();
            for replica in self.system.with_role(role) {
                seen.extend(replica.links()?.fail_points.seen());
            }
            statements.push((role, seen.into_iter().collect()));
        }
        Ok(statements)
    }

    /// Injects a fault under load, waits for the recovery, and checks the books.
    async fn exercise(&mut self, fault: &Fault, duration: Duration) -> Result<Outcome> {
        let before = self.counters.counts();
        let telemetry = match self.checks_telemetry {
            true => Some(self.evidence.before(&self.system).await?),
            false => None,
        };
        let balancer = self.system.balancer_address().filter(|_| fault.is_planned());
        let is_pooled = matches!(fault, Fault::Pooler(_));
        if is_pooled {
            self.system.insert_pooler().await?;
            self.recovery(Instant::now()).await?;
        }
        let load = self.load(balancer);
        sleep(MARGIN).await;
        let (took_effect, ended) = fault.happen(&mut self.system, duration).await?;
        let recovery = self.recovery(ended).await?;
        sleep(MARGIN).await;
        load.stop().await;
        let books = self.books.check(&self.system, &self.journal);
        let mut findings = if self.checks_telemetry {
            let (findings, unresolved) = try_join(books, self.evidence.resolved(&self.system)).await?;
            [findings, unresolved].concat()
        } else {
            books.await?
        };
        self.system.replicas.iter().for_each(Replica::forget_lost);
        if let Some(before) = &telemetry {
            findings.extend(self.evidence.check(fault, took_effect, &self.system, before).await?);
        }
        findings.extend(self.evidence.leaks(&self.system).await?);
        findings.extend(self.journal.take_complaints());
        if is_pooled {
            self.system.remove_pooler()?;
            self.recovery(Instant::now()).await?;
            books::rest(&self.system).await?;
        }
        let counts = self.counters.counts().since(before);
        if balancer.is_some() && counts.failed > 0 {
            let last = self.counters.last_failure();
            let text = format!("requests failed behind the load balancer, the last one with: {last}");
            findings.push(Finding::new(Kind::Other, "what_is_planned_fails_nothing", counts.failed, text));
        }
        Ok(Outcome { took_effect, counts, recovery, findings })
    }

    /// The time from the end of a fault until every API places and charges an order again, and every process is ready.
    async fn recovery(&mut self, ended: Instant) -> Result<Duration> {
        let apis: Vec<_> = self.shops[0].apis().to_vec();
        for api in &apis {
            wait_for_order(&self.shops[0], api, &self.journal).await?;
        }
        self.system.wait_until_ready(RECOVERY_TIMEOUT).await?;
        Ok(ended.elapsed())
    }
}
