//! TLS to every server: it works with certificate authorities of one's own, and fails with the reason.

use reqwest::Method;
use url::Url;

use crate::command_line::{common, with};
use crate::support::{
    Authority, Backend, Client, Ended, FakeSentry, Process, Response, Scrape, Settings, SpanReceiver,
    TestDatabase, eventually, new_slug, new_trace, settings, test_variable, traceparent,
};

const JWT_SECRET: &str = "a secret of at least thirty-two bytes";

/// The settings of `serve` without TLS.
fn plain(database: &TestDatabase) -> Settings {
    with(
        &common(),
        [
            ("DATABASE_URL", &*database.service_url()),
            ("REDIS_URL", &*test_variable("TEST_REDIS_URL")),
            ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://127.0.0.1:1"),
            ("JWT_SECRET", JWT_SECRET),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "5000"),
        ],
    )
}

fn verified(mut url: Url, authority: Option<&Authority>) -> String {
    url.query_pairs_mut().append_pair("sslmode", "verify-full");
    if let Some(authority) = authority {
        url.query_pairs_mut().append_pair("sslrootcert", authority.file().to_str().unwrap());
    }
    url.into()
}

/// A request whose caller samples this trace.
async fn get_in(trace: &str, client: &Client, path: &str) -> Response {
    Response::of(client.request(Method::GET, path).header("traceparent", traceparent(trace))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_is_reached_over_tls() {
    let (database, authority) = (TestDatabase::create(Backend::Servers).await, Authority::new());
    let ca = authority.file();
    let mut gateway = Process::start(&["gateway"], &common());
    let gateway_url = format!("http://{}", gateway.address("gateway_addr").await);
    let (mut collector, sentry) = (SpanReceiver::start().await, FakeSentry::start());
    let protect = async |url: &str, scheme: &str| authority.protect(url, "localhost", scheme).await;
    let postgres = protect(&database.service_url(), "postgres").await;
    let redis = protect(&test_variable("TEST_REDIS_URL"), "rediss").await;
    let otlp = protect(&collector.endpoint(), "https").await;
    let gateway_url = protect(&gateway_url, "https").await;
    let sentry_url = protect(&sentry.dsn(), "https").await;
    // Postgres is verified with its own setting, and with that of all clients.
    for postgres in [verified(postgres.clone(), Some(&authority)), verified(postgres, None)] {
        let settings = with(
            &plain(&database),
            [
                ("DATABASE_URL", &*postgres),
                ("REDIS_URL", redis.as_str()),
                ("GLASSHOUSE_PAYMENT_GATEWAY_URL", gateway_url.as_str()),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.as_str()),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.to_str().unwrap()),
                ("SENTRY_DSN", sentry_url.as_str()),
                ("SENTRY_TRACES_SAMPLE_RATE", "1"),
                ("SSL_CERT_FILE", ca.to_str().unwrap()),
            ],
        );
        let checked = Process::run(&["check-config", "serve"], &settings).await;
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let mut serve = Process::start(&["serve"], &settings);
        let owner = serve.client("http_addr").await.sign_up(&new_slug()).await;
        let product = owner.add_product(10).await;
        assert_eq!(owner.order(&product, 1).await.expect(201)["status"], "paid");
        let trace = new_trace();
        let me = get_in(&trace, &owner, "/v1/users/me").await;
        assert_eq!(me.header("ratelimit-limit"), "100000", "the limiter is in Redis");
        collector.span(&trace, "GET /v1/users/me").await;
        eventually("a transaction reaches Sentry", async || (!sentry.received().is_empty()).then_some(()))
            .await;
    }
}

/// Runs `serve` with a server that cannot be verified.
async fn refused(settings: &Settings) -> Ended {
    let checked = Process::run(&["check-config", "serve"], settings).await;
    assert_eq!(checked.code, Some(0), "the settings are valid: {checked:?}");
    let ended = Process::run(&["serve"], settings).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_verified_is_not_used() {
    let (database, ours, theirs) =
        (TestDatabase::create(Backend::Servers).await, Authority::new(), Authority::new());
    let url = database.service_url();
    let mut plain_server = Url::parse(&url).unwrap();
    plain_server.set_host(Some("localhost")).unwrap();
    for (server, reason) in [
        (theirs.protect(&url, "localhost", "postgres").await, "UnknownIssuer"),
        (ours.protect(&url, "db.example", "postgres").await, "not valid for name"),
        (plain_server, "does not support TLS"),
    ] {
        let settings = with(&plain(&database), [("DATABASE_URL", &*verified(server, Some(&ours)))]);
        let ended = refused(&settings).await;
        assert!(ended.stderr.contains("database_connection_failed"), "{ended:?}");
        assert!(ended.stderr.contains(reason), "{reason}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_verified_is_not_used() {
    let (database, ours, theirs) =
        (TestDatabase::create(Backend::Servers).await, Authority::new(), Authority::new());
    let url = test_variable("TEST_REDIS_URL");
    let plain_server = url.replacen("redis://127.0.0.1", "rediss://localhost", 1);
    let ca = ours.file();
    for (server, reason) in [
        (theirs.protect(&url, "localhost", "rediss").await, "UnknownIssuer"),
        (ours.protect(&url, "cache.example", "rediss").await, "not valid for name"),
        (Url::parse(&plain_server).unwrap(), ""),
    ] {
        let more = [
            ("REDIS_URL", server.as_str()),
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
            ("REDIS_TIMEOUT_MS", "5000"),
        ];
        let mut serve = Process::start(&["serve"], &with(&plain(&database), more));
        let failed = serve.logs("redis_connection_failed").await;
        assert!(failed["error"].as_str().unwrap().contains(reason), "{reason}: {failed}");
        let ready = serve.client("management_addr").await.get("/health/ready").await.expect(200);
        assert_eq!(ready["checks"]["redis"], "error: unavailable");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telemetry_is_not_sent_to_a_receiver_that_is_not_verified() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut collector = SpanReceiver::start().await;
    let ca = ours.file();
    for server in [
        theirs.protect(&collector.endpoint(), "localhost", "https").await,
        ours.protect(&collector.endpoint(), "otlp.example", "https").await,
    ] {
        let data = tempfile::tempdir().unwrap();
        let settings = with(
            &common(),
            [
                ("GLASSHOUSE_DATA_DIR", data.path().to_str().unwrap()),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", server.as_str()),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.to_str().unwrap()),
            ],
        );
        let mut demo = Process::start(&["demo"], &settings);
        let client = demo.client("http_addr").await;
        let trace = new_trace();
        assert_eq!(get_in(&trace, &client, "/v1/users/me").await.status, 401);
        let management = demo.client("management_addr").await;
        eventually("the spans count as dropped", async || {
            let dropped = Scrape::of(&management).await.sum("telemetry_dropped_total", "signal=\"traces\"");
            (dropped > 0.0).then_some(())
        })
        .await;
        assert!(!collector.has(&trace, "GET /v1/users/me").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_gateway_that_is_not_verified_charges_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut simulator = Process::start(&["gateway"], &common());
    let url = format!("http://{}", simulator.address("gateway_addr").await);
    let ca = ours.file();
    for server in [
        theirs.protect(&url, "localhost", "https").await,
        ours.protect(&url, "gateway.example", "https").await,
        Url::parse(&url.replacen("http", "https", 1)).unwrap(),
    ] {
        let data = tempfile::tempdir().unwrap();
        let more = [
            ("GLASSHOUSE_DATA_DIR", data.path().to_str().unwrap()),
            ("GLASSHOUSE_PAYMENT_GATEWAY_URL", server.as_str()),
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
        ];
        let mut demo = Process::start(&["demo"], &with(&common(), more));
        let owner = demo.client("http_addr").await.sign_up(&new_slug()).await;
        let product = owner.add_product(10).await;
        let order = owner.order(&product, 1).await.expect(202);
        assert_eq!(order["status"], "pending");
        let payment = owner.payment(&order["id"]).await;
        let charge = format!("/v1/charges/{}", payment["id"].as_str().unwrap());
        simulator.client("gateway_addr").await.get(&charge).await.expect(404);
    }
}

/// Each names its variable and the file.
#[tokio::test]
async fn unusable_certificates_are_reported_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let no_pem = folder.path().join("no.pem");
    std::fs::write(&no_pem, "nothing").unwrap();
    let base = settings([
        ("DATABASE_URL", "postgres://db/shop"),
        ("REDIS_URL", "redis://cache"),
        ("JWT_SECRET", JWT_SECRET),
        ("GLASSHOUSE_PAYMENT_GATEWAY_URL", "http://gateway:8090"),
    ]);
    for file in [no_pem.to_str().unwrap(), "/no/such/file.pem"] {
        let postgres = format!("postgres://db/shop?sslmode=verify-full&sslrootcert={file}");
        for (variable, value) in [
            ("SSL_CERT_FILE", file),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", file),
            ("DATABASE_URL", &postgres),
            ("DATABASE_MIGRATION_URL", &postgres),
        ] {
            for command in [&["check-config", "serve"][..], &["serve"]] {
                let ended = Process::run(command, &with(&base, [(variable, value)])).await;
                assert_eq!(ended.code, Some(1), "{ended:?}");
                assert!(ended.stderr.contains(&format!("{variable}: ")), "{ended:?}");
                assert!(ended.stderr.contains(file), "{ended:?}");
            }
        }
    }
}
