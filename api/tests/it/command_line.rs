//! Every command of the binary as a real process, and the processes together.

use std::process::{Command, Stdio};

use glasshouse_telemetry::SIGNALS;
use serde_json::{Value, json};

use crate::dead_receivers::receiver_of;
use crate::support::{
    Backend, Client, Process, Proxy, Settings, TEST_SETTINGS, TestDatabase, eventually, log_lines, new_slug,
    settings, test_variable,
};

pub(crate) const JWT_SECRET: &str = "a secret of at least thirty-two bytes";

/// [`TEST_SETTINGS`], with open payments that become due for the reconciler after a second.
pub(crate) fn common() -> Settings {
    with(&settings(TEST_SETTINGS), [("GLASSHOUSE_RECONCILE_AFTER_SECONDS", "1")])
}

pub(crate) fn with<'a>(settings: &Settings, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Settings {
    let more = more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.clone().into_iter().chain(more).collect()
}

/// The stack: gateway, API and worker as three processes on Postgres and Redis.
pub(crate) struct Stack {
    pub(crate) gateway: Process,
    pub(crate) serve: Process,
    pub(crate) worker: Process,
    pub(crate) database: TestDatabase,
}

impl Stack {
    pub(crate) async fn start<'a>(more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let settings = with(&common(), more);
        Self::start_each(settings.clone(), settings).await
    }

    /// Starts with separate settings for the gateway, and for API and worker.
    pub(crate) async fn start_each(of_gateway: Settings, settings: Settings) -> Self {
        let database = TestDatabase::create(Backend::Servers).await;
        let mut gateway = Process::start(&["gateway"], &of_gateway);
        let gateway_url = format!("http://{}", gateway.address("gateway_addr").await);
        let url = database.service_url();
        // The worker needs neither Redis nor a JWT secret.
        let settings =
            with(&settings, [("DATABASE_URL", &*url), ("GLASSHOUSE_PAYMENT_GATEWAY_URL", &gateway_url)]);
        let worker = Process::start(&["worker"], &settings);
        let redis = settings.get("REDIS_URL").cloned().unwrap_or_else(|| test_variable("TEST_REDIS_URL"));
        let serve = Process::start(
            &["serve"],
            &with(&settings, [("REDIS_URL", &*redis), ("JWT_SECRET", JWT_SECRET)]),
        );
        Self { gateway, serve, worker, database }
    }

    /// An owner, a product of theirs, and a client of the gateway simulator.
    pub(crate) async fn shop(&mut self) -> (Client, String, Client) {
        let owner = self.serve.client("http_addr").await.sign_up(&new_slug()).await;
        let product = owner.add_product(100_000).await;
        (owner, product, self.gateway.client("gateway_addr").await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_gateway_and_worker_work_together() {
    let mut stack = Stack::start([]).await;
    let (owner, product, gateway) = stack.shop().await;

    let order = owner.order(&product, 2).await.expect(201);
    assert_eq!(order["status"], "paid");
    let payment = owner.payment(&order["id"]).await;
    let charge = gateway.get(&format!("/v1/charges/{}", payment["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(charge["amount_minor"], 2500);
    assert_eq!(stack.worker.logs("outbox_delivered").await["kind"], "order_paid");

    for (process, checks) in [
        (&mut stack.serve, json!({ "database": "ok", "redis": "ok" })),
        (&mut stack.worker, json!({ "database": "ok", "worker": "ok" })),
        (&mut stack.gateway, json!({})),
    ] {
        let ready = process.client("management_addr").await.get("/health/ready").await.expect(200);
        assert_eq!(ready, json!({ "status": "ready", "checks": checks }));
    }
    for process in [stack.serve, stack.worker, stack.gateway] {
        process.signal("TERM");
        let ended = process.ends().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
        let events: Vec<_> = log_lines(&ended.stdout).iter().map(|line| line["message"].clone()).collect();
        assert_eq!(events.first().unwrap(), "application_starting");
        for event in &events {
            let event = event.as_str().unwrap();
            assert!(event.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{event} is no event's name");
        }
        assert_eq!(events.last().unwrap(), "application_stopped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_can_use_a_migrated_database() {
    let database = TestDatabase::create_empty().await;
    let (owner, service) = (database.owner_url(), database.service_url());
    let as_service = settings([("DATABASE_URL", &*service)]);

    let early = Process::run(&["seed", "--demo"], &as_service).await;
    assert_eq!(early.code, Some(1));
    assert!(early.stderr.contains("run `glasshouse migrate` first"), "{}", early.stderr);

    for _ in 0..2 {
        let migrated = Process::run(&["migrate"], &settings([("DATABASE_MIGRATION_URL", &*owner)])).await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        assert!(migrated.stdout.contains("database_migrated"), "{migrated:?}");
    }
    let seeded = Process::run(&["seed", "--demo"], &as_service).await;
    assert_eq!(seeded.code, Some(0), "{seeded:?}");
    assert_eq!(database.number("SELECT count(*) AS n FROM tenants").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_refuses_to_run_as_the_owner_of_the_tables() {
    let database = TestDatabase::create(Backend::Servers).await;
    let ended =
        Process::run(&["seed", "--demo"], &settings([("DATABASE_URL", &*database.owner_url())])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("exempt from row-level security"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seed_adds_the_demo_once_and_as_many_orders_as_asked() {
    for backend in [Backend::Embedded, Backend::Servers] {
        let database = TestDatabase::create(backend).await;
        let settings = with(&common(), [("DATABASE_URL", &*database.service_url())]);
        let counts = async || {
            let mut counts = Vec::new();
            for table in ["tenants", "users", "products", "orders"] {
                counts.push(database.number(&format!("SELECT count(*) AS n FROM {table}")).await);
            }
            counts
        };
        for _ in 0..2 {
            let ended = Process::run(&["seed", "--demo"], &settings).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert_eq!(counts().await, [3, 9, 7, 0]);
        }
        let ended = Process::run(&["seed", "--tenants", "3", "--orders", "2500"], &settings).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(counts().await, [3 + 3, 9 + 3, 7 + 30, 2500]);
        let unequal = "SELECT count(*) AS n FROM orders WHERE total_minor <> (SELECT sum(quantity * \
                       unit_price_minor) FROM order_items WHERE order_id = orders.id)";
        assert_eq!(database.number(unequal).await, 0);
        // So few that none of them may be paid.
        for orders in ["1", "2", "3"] {
            let ended = Process::run(&["seed", "--tenants", "1", "--orders", orders], &settings).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        assert_eq!(counts().await, [6 + 3, 12 + 3, 37 + 30, 2506]);
    }
    for arguments in [&["seed"][..], &["seed", "--orders", "5"], &["seed", "--demo", "--orders", "5"]] {
        let ended = Process::run(arguments, &Settings::new()).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_health_succeeds_only_for_a_ready_process() {
    let database = TestDatabase::create(Backend::Servers).await;
    let postgres = Proxy::before(&database.service_url());
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let settings = with(
            &common(),
            [
                ("DATABASE_URL", postgres.url()),
                ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://127.0.0.1:1"),
                ("GLASSHOUSE_MANAGEMENT_ADDR", listen),
            ],
        );
        let mut worker = Process::start(&["worker"], &settings);
        let address = worker.address("management_addr").await;
        let check = async || {
            let variable = [("GLASSHOUSE_MANAGEMENT_ADDR", &*address)];
            Process::run(&["check-health"], &with(&Settings::new(), variable)).await
        };
        let ended = check().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        postgres.refuse().await;
        // A check of the second before may still be served.
        let ended = eventually("the worker is not ready", async || {
            let ended = check().await;
            (ended.code != Some(0)).then_some(ended)
        })
        .await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("not ready: 503"), "{}", ended.stderr);
        postgres.restore();
        drop(worker);
        let ended = check().await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("no response from http://127.0.0.1:"), "{}", ended.stderr);
    }
}

/// The check of a container has the settings of its process. A receiver that does not respond would let it run into its timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_check_sends_no_telemetry() {
    let mut process = Process::start(&["gateway"], &common());
    let address = process.address("management_addr").await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let receiver = silent.local_addr().unwrap().to_string();
    let variables = SIGNALS.iter().map(|signal| (signal.variable, receiver_of(signal, &receiver)));
    let variables: Vec<_> = variables.collect();
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let address = ("GLASSHOUSE_MANAGEMENT_ADDR", &*address);
    let ended = Process::run(&["check-health"], &settings(variables.chain([address]))).await;
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "", ""), "{ended:?}");
    assert!(silent.accept().is_err(), "it has connected to a receiver");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_needs_no_setting_and_seeds_a_tenant_of_each_plan() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("new").join("folder");
    let settings = with(&common(), [("GLASSHOUSE_DATA_DIR", data.to_str().unwrap())]);
    // The second start finds the data of the first one.
    for _ in 0..2 {
        let mut demo = Process::start(&["demo"], &settings);
        let anonymous = demo.client("http_addr").await;
        for tenant in ["acme", "globex", "initech"] {
            let owner = anonymous.log_in(tenant, &format!("owner@{tenant}.example"), "demo-password").await;
            let products = owner.get("/v1/products").await.expect(200);
            let product = products["items"][0]["id"].as_str().unwrap();
            assert_eq!(owner.order(product, 1).await.expect(201)["status"], "paid");
        }
        demo.signal("TERM");
        let ended = demo.ends().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Without a terminal, the output consists of log records only.
        log_lines(&ended.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_the_demo_prints_a_curl_that_places_an_order() {
    // Skipped without `script` (util-linux), which provides the terminal.
    if Command::new("script").arg("--version").output().is_err() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let settings = with(
        &common(),
        [("GLASSHOUSE_DATA_DIR", directory.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin")],
    );
    let mut terminal = Command::new("script");
    terminal.args([
        "--quiet",
        "--return",
        "--command",
        concat!("exec ", env!("CARGO_BIN_EXE_glasshouse")),
        "/dev/null",
    ]);
    let mut demo = Process::spawn(&mut terminal, &settings);
    let printed = eventually("the demo says that it has started", async || {
        let printed = demo.stdout().replace('\r', "");
        printed.contains("application_started").then_some(printed)
    })
    .await;
    assert!(printed.contains("password demo-password"), "{printed}");
    assert!(printed.contains("tenant acme    owner@acme.example  admin@acme.example"), "{printed}");

    let begin = printed.find("curl -s").unwrap();
    let length = printed[begin..].find("\n\n").unwrap();
    let curl = Command::new("sh").args(["-c", &printed[begin..begin + length]]).output().unwrap();
    let order: Value = serde_json::from_slice(&curl.stdout).unwrap();
    assert_eq!(order["status"], "paid", "{order}");

    demo.type_in("\x03");
    let ended = demo.ends().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("application_stopped"), "{ended:?}");
}

/// As in `glasshouse openapi | head`.
#[test]
fn a_closed_output_is_no_error() {
    for arguments in [&["openapi"][..], &["telemetry-contract"], &["check-config", "demo"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glasshouse"));
        command.args(arguments).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn help_names_every_command() {
    let help = Process::run(&["--help"], &Settings::new()).await;
    assert_eq!(help.code, Some(0));
    for command in [
        "demo",
        "serve",
        "worker",
        "gateway",
        "migrate",
        "seed",
        "openapi",
        "telemetry-contract",
        "check-config",
        "check-health",
    ] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
    }
    assert_eq!(Process::run(&["--version"], &Settings::new()).await.stdout, "glasshouse 0.1.0\n");
    assert_eq!(Process::run(&["serv"], &Settings::new()).await.code, Some(2));
}
