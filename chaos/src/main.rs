//! Breaks every part of a running system while customers place orders, and proves after each fault that nothing is lost.
//!
//! - [`system`]: the processes: two APIs, two workers, the gateway, Postgres and Redis.
//! - [`proxy`]: the network between them.
//! - [`load`]: customers who retry with the same idempotency key, and a journal of what was acknowledged.
//! - [`faults`]: what can break, and how it heals.
//! - [`run`]: injects faults by a seeded schedule, and checks the books after each. **Start reading here.**
//! - [`demo`]: the same for the demo, which keeps its data in a SQLite file.
//! - [`evidence`]: what the telemetry must show of each fault.
//! - [`report`]: the results as a table.

mod books;
mod demo;
mod evidence;
mod faults;
mod load;
mod mounts;
mod proxy;
mod query;
mod recovery;
mod report;
mod run;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use demo::DemoFault;
use faults::Fault;
use glasshouse_drill::project::Project;
use system::Binaries;

/// Breaks the system under load, and proves that nothing is lost.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The seed of the schedule and of the load. A failed run prints it.
    #[arg(long)]
    seed: Option<u64>,
    /// The binary of the service.
    #[arg(long, default_value = "target/debug/glasshouse")]
    binary: PathBuf,
    /// The binary of the previous version, with the schema of the migration before the last one. The run begins with it, and
    /// upgrades under load. See scripts/chaos-upgrade.
    #[arg(long)]
    old_binary: Option<PathBuf>,
    /// The root folder of the repository, with the rules of the alerts.
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// Some faults of each part, once: about a minute.
    #[arg(long, conflicts_with_all = ["repetitions", "kills", "pauses", "demo_kills"])]
    short: bool,
    /// How often each fault is injected.
    #[arg(long, default_value_t = 1)]
    repetitions: u32,
    /// How many processes are killed between two statements.
    #[arg(long, default_value_t = 60)]
    kills: u32,
    /// How often the demo is killed.
    #[arg(long, default_value_t = 20)]
    demo_kills: u32,
    /// How many processes are paused between two statements.
    #[arg(long, default_value_t = 20)]
    pauses: u32,
    /// Only faults whose name contains this text.
    #[arg(long)]
    only: Option<String>,
    /// How long each fault lasts, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Do not check the telemetry after each fault: on a machine with other work, a scrape or an export may come too late.
    #[arg(long)]
    without_telemetry: bool,
    /// Stop at the first finding.
    #[arg(long)]
    fail_fast: bool,
    /// Write the results into the section of this Markdown page between the marks `chaos:begin` and `chaos:end`.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Print the names of the faults, and exit.
    #[arg(long)]
    list: bool,
    /// Print what the telemetry shows of each fault as a Markdown table, and exit.
    #[arg(long)]
    evidence: bool,
}

const KILLS_IN_SHORT: u32 = 6;
const PAUSES_IN_SHORT: u32 = 2;
const DEMO_KILLS_IN_SHORT: u32 = 2;

// The kernel kills a child process when the thread that started it ends, so this thread starts all of them.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    mounts::enter();
    if arguments.list {
        for fault in Fault::all() {
            report::print(&fault.to_string());
        }
        for fault in DemoFault::ALL {
            report::print(&fault.to_string());
        }
        return ExitCode::SUCCESS;
    }
    if arguments.evidence {
        report::print(&evidence::table());
        return ExitCode::SUCCESS;
    }
    let plan = run::Plan {
        seed: arguments.seed.unwrap_or_else(|| rand::random::<u32>().into()),
        faults: if arguments.short { Fault::some_of_each_part() } else { Fault::all() },
        demo_faults: DemoFault::ALL.to_vec(),
        repetitions: arguments.repetitions,
        kills: if arguments.short { KILLS_IN_SHORT } else { arguments.kills },
        demo_kills: if arguments.short { DEMO_KILLS_IN_SHORT } else { arguments.demo_kills },
        pauses: if arguments.short { PAUSES_IN_SHORT } else { arguments.pauses },
        only: arguments.only,
        fail_fast: arguments.fail_fast,
        duration: Duration::from_secs(arguments.seconds),
        checks_telemetry: !arguments.without_telemetry,
    };
    let binaries = Binaries { new: arguments.binary, old: arguments.old_binary };
    let run = async {
        let project = Project::read(arguments.project)?;
        run::run(&binaries, &project, &plan, arguments.markdown.as_deref()).await
    };
    match run.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::print(&format!("error: {error:#}\nRepeat this run with --seed {}", plan.seed));
            ExitCode::from(2)
        }
    }
}
