//! The commands of `drill`. Each returns `false` if it found a problem.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use glasshouse_drill::catalogue::{Catalogue, Exercise, Process};
use glasshouse_drill::contract::{self, ExportedMetrics};
use glasshouse_drill::correlation::{Backends, Explore, Follower, Links};
use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::grafana::data_source::DataSource;
use glasshouse_drill::panel_data;
use glasshouse_drill::project::Project;
use glasshouse_drill::prometheus_api::PrometheusApi;
use glasshouse_drill::receiver::Receiver;
use glasshouse_drill::report::{CONTRACT, Outcome, Report, Run};
use glasshouse_drill::rules::RuleFiles;
use glasshouse_drill::runner::{Runner, Timeouts};
use glasshouse_drill::slo::Slos;
use glasshouse_drill::stack::{ComposeOptions, NativeOptions, Options, Platform, Stack, find_program};
use time::OffsetDateTime;

use crate::arguments::{Arguments, Command, FollowArguments, PlatformName, ReportArguments, StackArguments};
use crate::terminal::{log, print};

/// The test during which every panel has data, except those that need a fault.
const NORMAL_LOAD: &str = "average-load";

/// Runs a command.
pub(crate) async fn run(arguments: Arguments) -> Result<bool> {
    let root = arguments.project.canonicalize().context("the root folder of the repository")?;
    let project = Project::new(root);
    match arguments.command {
        Command::List => list(&project),
        Command::Run { names, stack, reports } => {
            let catalogue = Catalogue::read(&project.catalogue())?;
            let exercises = names.iter().map(|name| catalogue.find(name).with_context(|| unknown_name(name)));
            let exercises = exercises.collect::<Result<_>>()?;
            drill(&project, options(&project, stack)?, exercises, reports, false).await
        }
        Command::All { stack, reports } => {
            let options = options(&project, stack)?;
            let exercises = Catalogue::read(&project.catalogue())?.drilled(options.platform.host());
            drill(&project, options, exercises, reports, true).await
        }
        Command::Platform(platform) => {
            print(match platform.resolve() {
                PlatformName::Compose => "compose",
                PlatformName::Native => "native",
            });
            Ok(true)
        }
        Command::Slo => {
            let rules = Slos::read(&project.slos())?.to_rules();
            write(Some(project.slo_rules()), &rules).map(|()| true)
        }
        Command::Stack { stack } => run_stack(&project, stack).await,
        Command::Dashboards { prometheus } => {
            let problems = panel_data::missing(&project, &PrometheusApi::new(prometheus), true).await?;
            print(&format!("{} queries of dashboards have no data", problems.len()));
            problems.iter().for_each(|problem| print(problem));
            Ok(problems.is_empty())
        }
        Command::Follow(arguments) => follow(&project, *arguments).await,
        Command::Receiver { listen, heartbeat_timeout } => run_receiver(listen, heartbeat_timeout).await,
    }
}

fn unknown_name(name: &str) -> String {
    format!("the catalogue has no alert, scenario or test “{name}”: see `drill list`")
}

fn list(project: &Project) -> Result<bool> {
    for exercise in Catalogue::read(&project.catalogue())?.exercises() {
        let names: Vec<_> = exercise.alerts().iter().map(|alert| alert.name.as_str()).collect();
        let alerts = if names.is_empty() { "(a load test)".to_owned() } else { names.join(", ") };
        print(&format!("{:<24} {alerts}", exercise.name()));
    }
    Ok(true)
}

async fn drill(
    project: &Project,
    options: Options,
    exercises: Vec<Exercise>,
    reports: ReportArguments,
    checks_contract: bool,
) -> Result<bool> {
    let host = options.platform.host();
    if let Some(other) = exercises.iter().find(|one| one.only_on().is_some_and(|only| only != host)) {
        bail!("{} cannot be drilled on the stack {}: see the catalogue", other.name(), options.platform);
    }
    let speed = options.speed;
    log(&format!("starting the stack {} at SPEED={speed}", options.platform));
    let (platform, rules) = (options.platform.to_string(), RuleFiles::read(&project.rules())?.alert_rules()?);
    let mut stack = Stack::start(options, &log).await?;
    let run = describe_run(project, &stack).await?;
    let mut report = Report { platform, speed, run, rules, outcomes: Vec::new() };
    let mut exported = ExportedMetrics::default();
    for (index, exercise) in exercises.iter().enumerate() {
        log(&format!("{} of {}: {}", index + 1, exercises.len(), exercise.name()));
        report.outcomes.push(run_exercise(project, &mut stack, exercise).await?);
        exported.add_stack(&stack).await?;
    }
    if checks_contract {
        // After all drills, every series has been exported at least once.
        exported.add_external();
        let problems = contract::project_violations(project, &exported)?;
        report.outcomes.push(Outcome { scenario: CONTRACT.to_owned(), problems, ..Outcome::default() });
    }
    print(&report.to_table());
    write(reports.junit, &report.to_junit()?)?;
    write(reports.json, &report.to_json())?;
    write(reports.markdown, &report.to_markdown())?;
    Ok(report.is_success())
}

async fn describe_run(project: &Project, stack: &Stack) -> Result<Run> {
    let versions = vec![
        format!("Prometheus {}", stack.prometheus().version().await?),
        format!("Alertmanager {}", stack.alertmanager().version().await?),
    ];
    Ok(Run { date: OffsetDateTime::now_utc().date(), commit: project.commit(), versions })
}

async fn run_exercise(project: &Project, stack: &mut Stack, exercise: &Exercise) -> Result<Outcome> {
    let timeouts = Timeouts::at(stack.options().speed);
    let mut outcome = Runner { stack: &mut *stack, timeouts, progress: &log }.run(exercise).await;
    if exercise.name() == NORMAL_LOAD {
        outcome.problems.extend(panel_data::missing(project, stack.prometheus(), false).await?);
    }
    let result = if outcome.is_success() { "succeeded" } else { "failed" };
    log(&format!("{} {result} after {:.0} s", exercise.name(), outcome.duration.as_secs_f64()));
    outcome.all_problems().iter().for_each(|problem| log(problem));
    Ok(outcome)
}

fn write(file: Option<PathBuf>, text: &str) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

/// Runs a stack until a component exits. Ctrl-C ends the program.
async fn run_stack(project: &Project, arguments: StackArguments) -> Result<bool> {
    let mut stack = Stack::start(options(project, arguments)?, &log).await?;
    let addresses = stack.addresses();
    let management = |process| addresses.management(process);
    print(&format!(
        "API              http://{http}/docs/\n\
         management       http://{api}/metrics (API), http://{worker}/metrics (worker), http://{gateway}/metrics (gateway)\n\
         payment gateway  http://{}/control\n\
         Prometheus       http://{}/alerts\n\
         Alertmanager     http://{}\n\
         deliveries       http://{}\n\n\
         Run a scenario:  {}\n\n\
         Ctrl-C stops everything.",
        addresses.gateway,
        addresses.prometheus,
        addresses.alertmanager,
        addresses.receiver,
        stack.scenario_command_line(),
        http = addresses.http,
        api = management(Process::Api),
        worker = management(Process::Worker),
        gateway = management(Process::Gateway),
    ));
    loop {
        if let Some(report) = stack.exit_report().await? {
            bail!("{report}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn follow(project: &Project, arguments: FollowArguments) -> Result<bool> {
    let FollowArguments { grafana, prometheus, tempo, loki, pyroscope } = arguments;
    let direct = [
        (DataSource::Prometheus, prometheus),
        (DataSource::Tempo, tempo),
        (DataSource::Loki, loki),
        (DataSource::Pyroscope, pyroscope),
    ];
    let direct = direct.into_iter().filter_map(|(source, url)| Some((source, url?))).collect();
    let dashboards = DashboardFile::read_all(&project.dashboards())?;
    let follower = Follower {
        backends: &Backends::new(grafana.clone(), direct)?,
        explore: &Explore::new(grafana),
        links: &Links::read(&project.data_sources())?,
        progress: &print,
    };
    follower.follow(&dashboards).await?;
    print("all links work");
    Ok(true)
}

async fn run_receiver(listen: SocketAddr, heartbeat_timeout: u64) -> Result<bool> {
    let receiver = Receiver::start(listen, Duration::from_secs(heartbeat_timeout)).await?;
    print(&format!("receiving alerts on http://{0}/webhook; see them on http://{0}", receiver.address()));
    std::future::pending().await
}

fn options(project: &Project, arguments: StackArguments) -> Result<Options> {
    let platform = match arguments.platform.resolve() {
        PlatformName::Compose => {
            // An empty environment variable counts as unset.
            Platform::Compose(ComposeOptions { image: arguments.image.filter(|image| !image.is_empty()) })
        }
        PlatformName::Native => {
            Platform::Native(native_options(arguments.binary, arguments.k6, arguments.postgres)?)
        }
    };
    Ok(Options { project: project.clone(), speed: arguments.speed, platform })
}

fn native_options(
    binary: Option<PathBuf>,
    k6: Option<PathBuf>,
    postgres: Option<String>,
) -> Result<NativeOptions> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("glasshouse"));
    let binary = binary.or_else(beside).context("the path of `glasshouse` is unknown: set --binary")?;
    if !Path::new(&binary).is_file() {
        bail!("{} does not exist: build it with `cargo build --bin glasshouse`", binary.display());
    }
    let binary = binary.canonicalize()?;
    let k6 = k6.or_else(|| find_program(&["k6"])).context("k6 is not in PATH: `make drills` installs it")?;
    let postgres =
        postgres.context("TEST_DATABASE_URL is not set: `make drills` starts a Postgres and sets it")?;
    Ok(NativeOptions { binary, k6, postgres })
}
