//! Profiles: pushed to a fake Pyroscope, and recorded on demand.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use fake_opentelemetry_collector::FakeCollectorServer;
use flate2::read::GzDecoder;
use prost::Message;
use pyroscope::encode::r#gen::google::Profile;
use pyroscope::encode::r#gen::push::PushRequest;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::command_line::{Stack, common, with};
use crate::support::{Client, PASSWORD, Process, Proxy, Settings, eventually, log_lines, new_slug};

/// The production cost of a password hash: enough CPU work for samples.
const EXPENSIVE_PASSWORDS: [(&str, &str); 2] =
    [("GLASSHOUSE_ARGON2_MEMORY_KIB", "19456"), ("GLASSHOUSE_ARGON2_PASSES", "2")];
const LOGIN: &str = "/v1/auth/login";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behavior {
    Accept,
    Fail,
    Hang,
}

/// A fake Pyroscope that receives profiles.
struct FakePyroscope {
    address: String,
    received: Arc<Mutex<Vec<PushRequest>>>,
}

impl FakePyroscope {
    fn start(behavior: Behavior) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let pushed = received.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = HttpServer::new(move || {
            let pushed = pushed.clone();
            let push = move |request: HttpRequest, body: web::Bytes| {
                let pushed = pushed.clone();
                async move {
                    assert_eq!(request.headers().get("content-type").unwrap(), "application/proto");
                    match behavior {
                        Behavior::Accept => {
                            pushed.lock().unwrap().push(PushRequest::decode(&*body).unwrap());
                            HttpResponse::Ok().finish()
                        }
                        Behavior::Fail => HttpResponse::InternalServerError().finish(),
                        Behavior::Hang => std::future::pending().await,
                    }
                }
            };
            // The body extractor decompresses gzip.
            let payload = web::PayloadConfig::new(64 << 20);
            App::new().app_data(payload).route("/push.v1.PusherService/Push", web::post().to(push))
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
        tokio::spawn(server.run());
        Self { address, received }
    }

    /// The profiles of a service so far, with their labels.
    fn profiles(&self, service: &str) -> Vec<(BTreeMap<String, String>, Profile)> {
        let received = self.received.lock().unwrap();
        let series = received.iter().flat_map(|push| &push.series);
        let profiles = series.flat_map(|series| {
            let labels = series.labels.iter().map(|label| (label.name.clone(), label.value.clone()));
            let labels: BTreeMap<String, String> = labels.collect();
            let profile = |raw: &Vec<u8>| Profile::decode(&**raw).unwrap();
            series.samples.iter().map(move |sample| (labels.clone(), profile(&sample.raw_profile)))
        });
        profiles.filter(|(labels, _)| labels["service_name"] == service).collect()
    }
}

/// A sample of a profile, with resolved names.
#[derive(Clone, Debug)]
struct Sample {
    /// Innermost frame first.
    functions: Vec<String>,
    labels: BTreeMap<String, String>,
    nanoseconds: i64,
}

impl Sample {
    /// Whether the stack contains a function with this text in its path or in its generic types. An async function has
    /// no path in a profile.
    fn is_in(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name.contains(function))
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

fn samples(profile: &Profile) -> Vec<Sample> {
    let text = |index: i64| profile.string_table[usize::try_from(index).unwrap()].clone();
    let function = |id: &u64| {
        let location = profile.location.iter().find(|location| location.id == *id).unwrap();
        let id = location.line[0].function_id;
        text(profile.function.iter().find(|function| function.id == id).unwrap().name)
    };
    let sample = profile.sample.iter().map(|sample| Sample {
        functions: sample.location_id.iter().map(function).collect(),
        labels: sample.label.iter().map(|label| (text(label.key), text(label.str))).collect(),
        nanoseconds: sample.value[0],
    });
    assert_eq!(text(0), "");
    assert_eq!(text(profile.sample_type[0].r#type), "cpu");
    assert_eq!(text(profile.sample_type[0].unit), "nanoseconds");
    sample.collect()
}

/// Logs in and lists products in a loop, as CPU load, until the other future ends.
async fn while_logging_in<T>(owner: &Client, other: impl Future<Output = T>) -> T {
    let email = format!("owner@{}.example", owner.tenant());
    let login = json!({ "tenant": owner.tenant(), "email": email, "password": PASSWORD });
    let work = async {
        loop {
            owner.post("/v1/auth/login", login.clone()).await.expect(200);
            for _ in 0..10 {
                owner.get("/v1/products").await.expect(200);
            }
        }
    };
    tokio::select! {
        result = other => result,
        () = work => unreachable!("the load never ends"),
    }
}

async fn demo<'a>(more: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Process, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let settings = with(&common(), [("GLASSHOUSE_DATA_DIR", directory.path().to_str().unwrap())]);
    (Process::start(&["demo"], &with(&settings, more)), directory)
}

/// Requests a recording, and retries while another one is in progress.
async fn recording(management: &Client, path_and_query: &str) -> reqwest::Result<reqwest::Response> {
    loop {
        let request = management.request(Method::GET, &format!("/debug/pprof/{path_and_query}"));
        match request.send().await {
            Ok(response) if response.status() == StatusCode::CONFLICT => {}
            other => return other,
        }
    }
}

/// The status, content type and body of a recording.
async fn record(management: &Client, path_and_query: &str) -> (u16, String, Vec<u8>) {
    let response = recording(management, path_and_query).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, response.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_reach_pyroscope_with_their_endpoint_and_span() {
    let pyroscope = FakePyroscope::start(Behavior::Accept);
    let mut spans = FakeCollectorServer::start().await.unwrap();
    let endpoint = spans.endpoint();
    let mut stack = Stack::start(EXPENSIVE_PASSWORDS.into_iter().chain([
        ("PYROSCOPE_SERVER_ADDRESS", &*pyroscope.address),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ]))
    .await;
    let (owner, _, _) = stack.shop().await;
    let management = stack.serve.client("management_addr").await;

    // On demand, during continuous profiling.
    let (status, kind, svg) = while_logging_in(&owner, record(&management, "flamegraph?seconds=3")).await;
    assert_eq!((status, &*kind), (200, "image/svg+xml"), "{}", String::from_utf8_lossy(&svg));
    let svg = String::from_utf8(svg).unwrap();
    for text in [LOGIN, "glasshouse_infra::passwords", "argon2"] {
        assert!(svg.contains(text), "{text}");
    }

    // CPU samples by endpoint. The first endpoint is called continuously.
    let work: [(&str, &[&str]); 2] = [
        ("hash_password_into", &[LOGIN, "/v1/tenants"]),
        ("glasshouse_infra::db::entity::product::", &["/v1/products"]),
    ];
    let labels_and_samples = while_logging_in(
        &owner,
        eventually("samples of all work arrive", async || {
            let profiles = pyroscope.profiles("glasshouse-api");
            // Not the first profile: requests that started before the sampler have no label.
            let (labels, profile) = profiles.iter().skip(1).next_back()?;
            let all = samples(profile);
            let complete = work.iter().all(|(function, endpoints)| {
                all.iter().any(|sample| sample.is_in(function) && sample.label("endpoint") == endpoints[0])
            });
            complete.then(|| (labels.clone(), all))
        }),
    );
    let (labels, samples) = labels_and_samples.await;
    for (name, value) in
        [("__name__", "process_cpu"), ("service_version", "0.1.0"), ("deployment_environment_name", "test")]
    {
        assert_eq!(labels.get(name).map(String::as_str), Some(value), "{labels:?}");
    }
    for (function, endpoints) in work {
        let of = samples.iter().filter(|sample| sample.is_in(function));
        let wrong: Vec<_> = of.filter(|sample| !endpoints.contains(&sample.label("endpoint"))).collect();
        assert!(wrong.is_empty(), "{function}: {wrong:#?}");
    }
    // Threads that read samples, write logs or accept connections have no endpoint.
    assert!(samples.iter().any(|sample| sample.label("endpoint").is_empty()), "all have an endpoint");
    assert!(samples.iter().all(|sample| sample.nanoseconds > 0 && sample.nanoseconds % 10_000_000 == 0));

    let mut roots = Vec::new();
    eventually("the span of a login that has samples arrives", async || {
        roots.extend(spans.exported_spans(1, Duration::from_millis(50)).await);
        let mut logins = roots.iter().filter(|span| span.name == "POST /v1/auth/login");
        let span = logins.find(|span| {
            let mut of_it = samples.iter().filter(|sample| sample.label("span_id") == span.span_id);
            of_it.any(|sample| sample.label("endpoint") == LOGIN && sample.is_in("hash_password_into"))
        })?;
        assert!(span.attributes["pyroscope.profile.id"].contains(&span.span_id), "{:?}", span.attributes);
        Some(())
    })
    .await;
    assert!(!pyroscope.profiles("glasshouse-worker").is_empty());

    // The last samples are sent during shutdown, which does not take long.
    let before = pyroscope.profiles("glasshouse-api").len();
    stack.serve.signal("TERM");
    let stopping = Instant::now();
    let ended = stack.serve.ends().await;
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    assert_eq!(pyroscope.profiles("glasshouse-api").len(), before + 1);
    let lines = log_lines(&ended.stdout);
    assert!(lines.iter().all(|line| !line["target"].as_str().unwrap().starts_with("pyroscope")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pyroscope_profiles_are_recorded_on_demand_one_at_a_time() {
    let (mut demo, _directory) = demo(EXPENSIVE_PASSWORDS).await;
    let owner = demo.client("http_addr").await.sign_up(&new_slug()).await;
    let management = demo.client("management_addr").await;

    for path in ["flamegraph", "profile"] {
        for wrong in ["seconds=0", "seconds=301", "seconds=-1", "seconds=soon", "seconds="] {
            let response = management.get(&format!("/debug/pprof/{path}?{wrong}")).await;
            response.expect_problem(400, "invalid_query");
        }
        // Not on the public listener.
        let response = owner.get(&format!("/debug/pprof/{path}?seconds=1")).await;
        response.expect_problem(404, "unknown_route");
    }

    let recorded = while_logging_in(&owner, record(&management, "profile?seconds=3"));
    let other = management.with_own_connections();
    let rejected = eventually("the recording is in progress", async || {
        let response = other.get("/debug/pprof/flamegraph?seconds=1").await;
        (response.status == 409).then_some(response)
    });
    let ((status, kind, profile), rejected) = tokio::join!(recorded, rejected);
    rejected.expect_problem(409, "profile_in_progress");
    assert_eq!((status, &*kind), (200, "application/octet-stream"));
    let mut whole = Vec::new();
    GzDecoder::new(&*profile).read_to_end(&mut whole).unwrap();
    let profile = Profile::decode(&*whole).unwrap();
    assert_eq!(profile.duration_nanos, 3_000_000_000);
    let samples = samples(&profile);
    assert!(
        samples.iter().any(|sample| {
            sample.is_in("glasshouse_infra::passwords") && sample.label("endpoint") == LOGIN
        })
    );

    // A client that disconnects ends its recording.
    let leaves = management.with_own_connections();
    let long = tokio::spawn(async move { record(&leaves, "profile?seconds=300").await });
    eventually("the long recording is in progress", async || {
        (management.get("/debug/pprof/profile?seconds=1").await.status == 409).then_some(())
    })
    .await;
    long.abort();
    eventually("the place is free", async || {
        let recorded = while_logging_in(&owner, record(&management, "flamegraph?seconds=1")).await;
        (recorded.0 == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_recording() {
    let (mut demo, _directory) = demo([]).await;
    let management = demo.client("management_addr").await;
    let other = management.with_own_connections();
    let long = tokio::spawn(async move {
        recording(&other, "profile?seconds=300").await.map(|response| response.status())
    });
    eventually("the recording is in progress", async || {
        (management.get("/debug/pprof/profile?seconds=1").await.status == 409).then_some(())
    })
    .await;
    demo.signal("TERM");
    let stopping = Instant::now();
    let ended = demo.ends().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    assert_eq!(long.await.unwrap().unwrap(), 503, "the recording is aborted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_pyroscope_affects_no_request_and_drops_are_counted() {
    let (failing, hanging) = (FakePyroscope::start(Behavior::Fail), FakePyroscope::start(Behavior::Hang));
    let refusing = Proxy::before("http://127.0.0.1:1");
    refusing.refuse().await;
    let addresses = [&*failing.address, &*hanging.address, refusing.url()];
    let checks = addresses.map(|address| async move {
        let (mut demo, _directory) = demo([("PYROSCOPE_SERVER_ADDRESS", address)]).await;
        let owner = demo.client("http_addr").await.sign_up(&new_slug()).await;
        let management = demo.client("management_addr").await;
        while_logging_in(
            &owner,
            eventually("a profile is dropped", async || {
                let metrics = management.get("/metrics").await.expect(200);
                let mut lines = metrics.as_str().unwrap().lines();
                let name = r#"telemetry_dropped_total{signal="profiles"} "#;
                let dropped: u64 = lines.find_map(|line| line.strip_prefix(name))?.parse().unwrap();
                (dropped > 0).then_some(())
            }),
        )
        .await;
        demo.signal("TERM");
        let stopping = Instant::now();
        let ended = demo.ends().await;
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
        assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
        let lines = log_lines(&ended.stdout);
        let logged = lines.iter().filter(|line| line["message"] == "profiles_not_accepted").count();
        assert_eq!(logged, 1, "two profiles are dropped, and one log record is written");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn the_address_of_pyroscope_must_be_a_url() {
    for wrong in ["pyroscope:4040", "ftp://pyroscope"] {
        let wrong = Settings::from([("PYROSCOPE_SERVER_ADDRESS".to_owned(), wrong.to_owned())]);
        let ended = Process::run(&["check-config", "demo"], &wrong).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("PYROSCOPE_SERVER_ADDRESS: must be a URL"), "{}", ended.stderr);
    }
}
