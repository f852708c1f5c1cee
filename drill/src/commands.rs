//! The commands of `drill`. Each returns `false` if it found a problem.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use glasshouse_drill::consistency;
use glasshouse_drill::correlation::{self, Backends, Explore, Follower};
use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::grafana::data_source::{DataSource, Uids, provisioned};
use glasshouse_drill::panel_data;
use glasshouse_drill::project::{Attached, Project};
use glasshouse_drill::prometheus_api::PrometheusApi;
use glasshouse_drill::receiver::{Receiver, Runbooks};
use glasshouse_drill::report::Report;
use glasshouse_drill::slo::Slos;
use glasshouse_drill::speed::Speed;
use glasshouse_drill::stack::{
    AttachedOptions, ComposeOptions, NativeOptions, Options, Platform, PostgresServer, Stack, find_program,
};
use url::Url;

use crate::arguments::{
    Arguments, AttachedArguments, Command, DrillArguments, FollowArguments, PlatformName, ReportArguments,
    StackArguments,
};
use crate::drills;
use crate::terminal::{log, print};

/// The speed of a stack that a drill starts, by default.
const SPEED: u32 = 30;

/// Runs a command.
pub(crate) async fn run(arguments: Arguments) -> Result<bool> {
    if let Command::Receiver { listen, heartbeat_timeout, runbooks } = arguments.command {
        let runbooks = match runbooks {
            Some(folder) => Runbooks::in_folder(&folder),
            None => Runbooks::beside(&arguments.project)?,
        };
        return run_receiver(listen, heartbeat_timeout, runbooks).await;
    }
    let folder = &arguments.project;
    let root = folder.canonicalize().with_context(|| format!("--project {}", folder.display()))?;
    let project = Project::read(root)?;
    match arguments.command {
        Command::List => list(&project),
        Command::Check => {
            let problems = consistency::problems(&project)?;
            problems.iter().try_for_each(|problem| print(problem))?;
            print(&format!("{} problems in {}", problems.len(), project.root().display()))?;
            Ok(problems.is_empty())
        }
        Command::Run { names, drill: DrillArguments { stacks, stack, reports } } => {
            let catalogue = project.catalogue();
            let exercises = names.iter().map(|name| catalogue.find(name).with_context(|| unknown_name(name)));
            let exercises = exercises.collect::<Result<_>>()?;
            let options = options(&project, stack, false)?;
            finish(&drills::run(&project, options, stacks, exercises, false).await?, reports)
        }
        Command::All { drill: DrillArguments { stacks, stack, reports } } => {
            let options = options(&project, stack, false)?;
            let exercises = project.catalogue().drilled(options.platform.host());
            finish(&drills::run(&project, options, stacks, exercises, true).await?, reports)
        }
        Command::Platform(platform) => {
            print(match platform.resolve(&project) {
                PlatformName::Compose => "compose",
                PlatformName::Native => "native",
                PlatformName::Attached => "attached",
            })?;
            Ok(true)
        }
        Command::Slo => {
            let rules = Slos::read(&project.slos()?)?.to_rules();
            write(Some(project.slo_rules()?), &rules).map(|()| true)
        }
        Command::Stack { stack } => run_stack(&project, stack).await,
        Command::Dashboards { prometheus, grafana } => {
            let mut problems = panel_data::missing(&project, &PrometheusApi::new(prometheus), true).await?;
            if let Some(grafana) = grafana {
                let uids = Uids::of(&provisioned(&project.data_sources()?)?);
                let backends = Backends::new(grafana, uids, Vec::new())?;
                problems.extend(panel_data::missing_in_stores(&project, &backends).await?);
            }
            print(&format!("{} queries of dashboards have no data", problems.len()))?;
            problems.iter().try_for_each(|problem| print(problem))?;
            Ok(problems.is_empty())
        }
        Command::Follow(arguments) => follow(&project, *arguments).await,
        Command::Receiver { .. } => Ok(true), // needs no project: see above
    }
}

fn unknown_name(name: &str) -> String {
    format!("the catalogue has no alert, scenario or test “{name}”: see `drill list`")
}

fn list(project: &Project) -> Result<bool> {
    for exercise in project.catalogue().exercises() {
        let names: Vec<_> = exercise.alerts().iter().map(|alert| alert.name.as_str()).collect();
        let alerts = if names.is_empty() { "(a load test)".to_owned() } else { names.join(", ") };
        print(&format!("{:<24} {alerts}", exercise.name()))?;
    }
    Ok(true)
}

/// Prints a report, and writes it to files. Returns whether all drills succeeded.
fn finish(report: &Report, files: ReportArguments) -> Result<bool> {
    print(&report.to_table())?;
    write(files.junit, &report.to_junit()?)?;
    write(files.json, &report.to_json())?;
    write(files.markdown, &report.to_markdown())?;
    Ok(report.is_success())
}

fn write(file: Option<PathBuf>, text: &str) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

/// Runs a stack until Ctrl-C ends the program. On containers, it ends too when a component exits.
async fn run_stack(project: &Project, arguments: StackArguments) -> Result<bool> {
    let mut stack = Stack::start(options(project, arguments, true)?, &log).await?;
    for (name, page) in &project.config().pages {
        let page = stack.values().expand(page)?;
        if opens(&page).await {
            print(&format!("{name:<20} {page}"))?;
        }
    }
    if let Some(files) = stack.shown_files() {
        print(&format!("{:<20} {}/*.log", "log records", files.logs.display()))?;
        print(&format!("{:<20} source {}", "shell functions", files.functions.display()))?;
    }
    for exercise in project.catalogue().shown() {
        if let Some(command) = stack.scenario_command_line(exercise.name()) {
            print(&format!("\n{}:  {command}", exercise.title()))?;
        }
    }
    print("\nCtrl-C stops everything.")?;
    loop {
        stack.supervise(&log).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Whether a page can be opened. What is not a URL, such as a command, is not tried.
async fn opens(page: &str) -> bool {
    !page.starts_with("http") || reqwest::get(page).await.is_ok_and(|response| response.status().is_success())
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
    let dashboards = DashboardFile::read_all(&project.dashboards()?)?;
    // A line that cannot be written is not missed: the result is the exit code.
    let progress = |text: &str| drop(print(text));
    let uids = Uids::of(&provisioned(&project.data_sources()?)?);
    let follower = Follower {
        backends: &Backends::new(grafana.clone(), uids.clone(), direct)?,
        explore: &Explore::new(grafana, uids),
        links: &correlation::Links::read(&project.data_sources()?)?,
        progress: &progress,
    };
    follower.follow(&dashboards).await?;
    print("all links work")?;
    Ok(true)
}

async fn run_receiver(listen: SocketAddr, heartbeat_timeout: u64, runbooks: Runbooks) -> Result<bool> {
    let receiver = Receiver::start(listen, Duration::from_secs(heartbeat_timeout), runbooks).await?;
    print(&format!("receiving alerts on http://{0}/webhook; see them on http://{0}", receiver.address()))?;
    std::future::pending().await
}

fn options(project: &Project, arguments: StackArguments, is_shown: bool) -> Result<Options> {
    let platform = arguments.platform.resolve(project);
    let (speed, platform) = match platform {
        PlatformName::Compose => {
            project.compose()?;
            // An empty environment variable counts as unset.
            let image = arguments.image.filter(|image| !image.is_empty());
            (SPEED, Platform::Compose(ComposeOptions { image }))
        }
        PlatformName::Native => {
            let beside = || Some(std::env::current_exe().ok()?.parent()?.to_owned());
            let programs = arguments.programs.or_else(beside).context("set --programs")?;
            let programs = programs.canonicalize().with_context(|| programs.display().to_string())?;
            let (k6, postgres) = (find_k6(arguments.k6), arguments.postgres);
            let control = arguments.postgres_control.zip(arguments.postgres_log);
            let postgres_server = control.map(|(control, log)| PostgresServer { control, log });
            (SPEED, Platform::Native(NativeOptions { programs, k6, postgres, postgres_server }))
        }
        PlatformName::Attached => {
            let options = attached_options(project, arguments.attached, find_k6(arguments.k6))?;
            (Speed::NORMAL.factor(), Platform::Attached(Box::new(options)))
        }
    };
    let default = || speed.to_string().parse().map_err(anyhow::Error::msg);
    let speed = arguments.speed.map_or_else(default, Ok)?;
    Ok(Options { project: project.clone(), speed, platform, is_shown })
}

fn find_k6(path: Option<PathBuf>) -> Option<PathBuf> {
    path.or_else(|| find_program(&["k6"]))
}

fn attached_options(
    project: &Project,
    arguments: AttachedArguments,
    k6: Option<PathBuf>,
) -> Result<AttachedOptions> {
    let configured = project.config().attached.clone();
    let mut ports = configured.ports;
    for (name, address) in arguments.ports {
        let known: Vec<_> = project.config().ports().collect();
        ensure!(known.contains(&name), "--port {name}: the processes have {}", known.join(", "));
        ports.insert(name, address);
    }
    let required = |name, argument: Option<Url>, configured: Option<Url>| {
        Attached::required(name, &argument.or(configured)).cloned()
    };
    Ok(AttachedOptions {
        prometheus: required("prometheus", arguments.prometheus, configured.prometheus)?,
        alertmanager: required("alertmanager", arguments.alertmanager, configured.alertmanager)?,
        receiver: required("receiver", arguments.receiver, configured.receiver)?,
        loki: arguments.loki.or(configured.loki),
        tempo: arguments.tempo.or(configured.tempo),
        ports,
        k6,
    })
}
