use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use glasshouse_drill::catalogue::{Catalogue, Exercise, Process};
use glasshouse_drill::contract::{self, Exported};
use glasshouse_drill::dashboards::{self, Dashboard};
use glasshouse_drill::data_source::Source;
use glasshouse_drill::drill::{Drill, Patience};
use glasshouse_drill::follow::{Follower, Links, Places};
use glasshouse_drill::project::Project;
use glasshouse_drill::receiver::Receiver;
use glasshouse_drill::report::{Outcome, Report};
use glasshouse_drill::stack::{Containers, Options, Platform, Processes, Stack, find_program};
use glasshouse_drill::watch::PrometheusApi;

use crate::arguments::{Arguments, Command, FollowArguments, On, Reports, StackArguments};
use crate::progress::{print, say};

/// The test under which every panel has data, unless it waits for a fault.
const ORDINARY_DAY: &str = "average-load";

/// Runs a command. `false` if it found something wrong.
pub(crate) async fn run(arguments: Arguments) -> Result<bool> {
    let root = arguments.project.canonicalize().context("the project's folder")?;
    let project = Project::new(root);
    match arguments.command {
        Command::List => list(&project),
        Command::Run { names, stack, reports } => {
            let catalogue = Catalogue::read(&project.catalogue())?;
            let found = names.iter().map(|name| catalogue.find(name).with_context(|| unknown(name)));
            drill(&project, found.collect::<Result<_>>()?, stack, reports, false).await
        }
        Command::All { stack, reports } => {
            let exercises = Catalogue::read(&project.catalogue())?.drilled();
            drill(&project, exercises, stack, reports, true).await
        }
        Command::Platform(platform) => {
            print(match platform.on() {
                On::Compose => "compose",
                On::Native => "native",
            });
            Ok(true)
        }
        Command::Stack { stack } => leave_up(&project, stack).await,
        Command::Dashboards { prometheus } => {
            let problems = silent_panels(&project, &PrometheusApi::new(prometheus), true).await?;
            print(&format!("{} queries of dashboards find nothing", problems.len()));
            problems.iter().for_each(|problem| print(problem));
            Ok(problems.is_empty())
        }
        Command::Follow(arguments) => follow(&project, *arguments).await,
        Command::Receiver { listen } => receive(listen).await,
    }
}

/// The queries of dashboards that find nothing although they should on an ordinary day.
async fn silent_panels(
    project: &Project,
    prometheus: &PrometheusApi,
    with_others: bool,
) -> Result<Vec<String>> {
    let dashboards = Dashboard::read_all(&project.dashboards())?;
    let queries: Vec<_> = dashboards.iter().flat_map(Dashboard::promql_of_ordinary_days).collect();
    dashboards::silent(&queries, prometheus, with_others).await
}

fn unknown(name: &str) -> String {
    format!("the catalogue has no alert, scenario or test “{name}”: see `drill list`")
}

fn list(project: &Project) -> Result<bool> {
    for exercise in Catalogue::read(&project.catalogue())?.exercises() {
        let names: Vec<_> = exercise.alerts().iter().map(|alert| alert.name.as_str()).collect();
        let what = if names.is_empty() { "(a load test)".to_owned() } else { names.join(", ") };
        print(&format!("{:<24} {what}", exercise.name()));
    }
    Ok(true)
}

async fn drill(
    project: &Project,
    exercises: Vec<Exercise>,
    arguments: StackArguments,
    reports: Reports,
    with_contract: bool,
) -> Result<bool> {
    let options = options(project, arguments)?;
    let speed = options.speed;
    say(&format!("the stack starts, {}, at SPEED={speed}", options.platform));
    let mut report = Report { platform: options.platform.to_string(), speed, outcomes: Vec::new() };
    let mut stack = Stack::start(options, &say).await?;
    let mut exported = Exported::default();
    for (number, exercise) in exercises.iter().enumerate() {
        say(&format!("{} of {}: {}", number + 1, exercises.len(), exercise.name()));
        let (patience, progress) = (Patience::at(speed), &say);
        let mut drill = Drill { stack: &mut stack, patience, progress };
        let mut outcome = drill.run(exercise).await;
        if exercise.name() == ORDINARY_DAY {
            let prometheus = PrometheusApi::new(stack.addresses().prometheus);
            outcome.problems.extend(silent_panels(project, &prometheus, false).await?);
        }
        let verdict = if outcome.is_good() { "succeeded" } else { "went wrong" };
        say(&format!("{} {verdict} after {:.0} s", exercise.name(), outcome.took.as_secs_f64()));
        outcome.all_problems().iter().for_each(|problem| say(problem));
        report.outcomes.push(outcome);
        exported.add_stack(&stack).await?;
    }
    if with_contract {
        // After all the drills, every series that there can be has been there.
        exported.add_others();
        let problems = contract::of_project(project, &exported)?;
        report.outcomes.push(Outcome { scenario: "contract".to_owned(), problems, ..Outcome::default() });
    }
    print(&report.to_table());
    write(reports.junit, &report.to_junit()?)?;
    write(reports.json, &report.to_json())?;
    write(reports.markdown, &report.to_markdown())?;
    Ok(report.is_good())
}

fn write(file: Option<PathBuf>, text: &str) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

async fn leave_up(project: &Project, arguments: StackArguments) -> Result<bool> {
    let mut stack = Stack::start(options(project, arguments)?, &say).await?;
    let at = stack.addresses();
    let (api, worker) = (at.management(Process::Api), at.management(Process::Worker));
    print(&format!(
        "API              http://{http}/docs/\n\
         management       http://{api}/metrics (API), http://{worker}/metrics (worker), http://{}/metrics (gateway)\n\
         payment gateway  http://{gateway}/control\n\
         Prometheus       http://{}/alerts\n\
         Alertmanager     http://{}\n\
         deliveries       http://{}\n\n\
         Run a scenario:  {}\n\n\
         Ctrl-C ends everything.",
        at.management(Process::Gateway),
        at.prometheus,
        at.alertmanager,
        at.receiver,
        stack.how_to_run_a_scenario(),
        http = at.http,
        gateway = at.gateway,
    ));
    loop {
        if let Some(casualty) = stack.casualty().await? {
            bail!("{casualty}");
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

async fn follow(project: &Project, arguments: FollowArguments) -> Result<bool> {
    let FollowArguments { grafana, prometheus, tempo, loki, pyroscope } = arguments;
    let direct = [
        (Source::Prometheus, prometheus),
        (Source::Tempo, tempo),
        (Source::Loki, loki),
        (Source::Pyroscope, pyroscope),
    ];
    let direct = direct.into_iter().filter_map(|(source, url)| Some((source, url?))).collect();
    let dashboards = Dashboard::read_all(&project.dashboards())?;
    let links = Links::read(&project.data_sources())?;
    let follower = Follower { places: &Places::new(grafana, direct)?, links: &links, progress: &print };
    follower.follow(&dashboards).await?;
    print("every link leads where it should");
    Ok(true)
}

async fn receive(listen: std::net::SocketAddr) -> Result<bool> {
    let receiver = Receiver::start(listen).await?;
    print(&format!("http://{} shows what was delivered to /webhook there", receiver.address()));
    std::future::pending().await
}

fn options(project: &Project, arguments: StackArguments) -> Result<Options> {
    let platform = match arguments.platform.on() {
        // An empty variable counts as none.
        On::Compose => {
            Platform::Compose(Containers { image: arguments.image.filter(|image| !image.is_empty()) })
        }
        On::Native => Platform::Native(processes(arguments.binary, arguments.k6, arguments.postgres)?),
    };
    Ok(Options { project: project.clone(), speed: arguments.speed, platform })
}

fn processes(binary: Option<PathBuf>, k6: Option<PathBuf>, postgres: Option<String>) -> Result<Processes> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join("glasshouse"));
    let binary = binary.or_else(beside).context("where is the program `glasshouse`?")?;
    if !Path::new(&binary).is_file() {
        bail!("there is no {}: build it with `cargo build --bin glasshouse`", binary.display());
    }
    let binary = binary.canonicalize()?;
    let k6 = k6.or_else(|| find_program(&["k6"])).context("k6 is not in PATH: `make drills` installs it")?;
    let postgres =
        postgres.context("TEST_DATABASE_URL is not set: `make drills` starts a Postgres and sets it")?;
    Ok(Processes { binary, k6, postgres })
}
