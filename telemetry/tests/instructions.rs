//! The cost of each signal, in CPU instructions. Valgrind's Callgrind counts them: unlike times, they do not depend on what else
//! the machine does. `make bench` measures times.
//!
//! The budgets are those of the development build, in which the tests run; an optimized build needs a fraction. They are a
//! fifth above what was counted with Rust 1.95, and repeated counts differ by less than a hundredth.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_macros, reason = "a test may write log records without `events!`")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a test prints what it has counted")]

use std::process::{Command, Stdio};

use actix_web::rt::System;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use glasshouse_telemetry::http::{Observe, TracingLogger};
use glasshouse_telemetry::metrics::{Registrar, StandardMetrics, StandardMetricsSettings};
use glasshouse_telemetry::{Build, Telemetry, TelemetrySettings};

/// How often each workload is repeated while instructions are counted.
const REPETITIONS: u64 = 200;

/// A receiver that refuses connections: spans are recorded, and their export fails on another thread.
const NO_RECEIVER: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");

glasshouse_telemetry::root_span! {
    /// The root span of a request.
    struct RootSpan {}
}

#[test]
fn a_log_record() {
    assert_budget("log_record", 236_000);
}

#[test]
fn a_span_that_is_sampled() {
    assert_budget("sampled_span", 122_000);
}

#[test]
fn a_span_that_is_not_sampled() {
    assert_budget("unsampled_span", 77_000);
}

#[test]
fn a_span_that_nothing_shows() {
    assert_budget("unseen_span", 12_100);
}

#[test]
fn an_observation_of_a_metric() {
    assert_budget("metric", 3_100);
}

#[test]
fn a_whole_request_without_work() {
    assert_budget("request", 497_000);
}

/// Runs a workload of this test program under Callgrind, and compares its instructions with the budget of one repetition.
#[track_caller]
fn assert_budget(workload: &str, budget: u64) {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let counts = format!("{folder}/callgrind.{workload}");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_by_callgrind*"]);
    valgrind.arg(format!("--callgrind-out-file={counts}")).arg(std::env::current_exe().unwrap());
    valgrind.args(["--ignored", "--exact", &format!("workload_{workload}"), "--nocapture"]);
    let status = valgrind.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.expect("valgrind is not installed: apt-get install valgrind");
    assert!(status.success(), "{valgrind:?}: {status}");
    let counts = std::fs::read_to_string(counts).unwrap();
    let total = counts.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
    let count = total.trim().parse::<u64>().unwrap() / REPETITIONS;
    println!("{workload}: {count} instructions of {budget}");
    assert!((1..=budget).contains(&count), "{workload} took {count} instructions, more than {budget}");
}

/// Counts the instructions of the repetitions. Callgrind finds it by its name, so it is no generic function.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    for _ in 0..REPETITIONS {
        work();
    }
}

/// Counts a workload after a repetition that does not count, in which it allocates what it keeps.
fn count(mut work: impl FnMut()) {
    work();
    counted_by_callgrind(&mut work);
}

/// Starts all telemetry with these variables. Each workload has a process of its own.
fn start(variables: &[(&str, &str)]) -> Telemetry {
    let build = Build { name: "instructions", version: "1.0.0", commit: None };
    let mut settings = TelemetrySettings::new("instructions", build);
    let lookup =
        |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).into());
    settings.read_environment(lookup).unwrap();
    Telemetry::start(&settings).unwrap()
}

/// Runs a workload with telemetry, on a runtime with a thread for the exporters.
fn with_telemetry(variables: &[(&str, &str)], work: impl FnMut()) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let telemetry = start(variables);
    count(work);
    telemetry.shut_down();
}

#[test]
#[ignore = "a workload"]
fn workload_log_record() {
    let mut span = None;
    with_telemetry(&[], || {
        let span = span.get_or_insert_with(request_span);
        span.in_scope(|| tracing::info!(status_code = 200, duration_ms = 1.5, "request_completed"));
    });
}

/// A span with the fields that log records of a request inherit.
fn request_span() -> tracing::Span {
    let (request, tenant) = ("01a219a2-c57b-702f-a836-35a651433baf", "01a219a2-ecb5-7611-bc8f-3eb489cfd5d3");
    tracing::info_span!(
        "request",
        request_id = request,
        user.id = tenant,
        http.request.method = "GET",
        url.path = "/v1/orders"
    )
}

#[test]
#[ignore = "a workload"]
fn workload_sampled_span() {
    with_telemetry(&[NO_RECEIVER, ("OTEL_TRACES_SAMPLER", "always_on")], || drop(request_span().entered()));
}

#[test]
#[ignore = "a workload"]
fn workload_unsampled_span() {
    with_telemetry(&[NO_RECEIVER, ("OTEL_TRACES_SAMPLER", "always_off")], || drop(request_span().entered()));
}

#[test]
#[ignore = "a workload"]
fn workload_unseen_span() {
    let mut request = None;
    with_telemetry(&[NO_RECEIVER, ("OTEL_TRACES_SAMPLER", "always_off")], || {
        let request = request.get_or_insert_with(request_span);
        request.in_scope(|| drop(tracing::info_span!("query", db.system.name = "postgresql").entered()));
    });
}

#[test]
#[ignore = "a workload"]
fn workload_metric() {
    let mut registrar = Registrar::default();
    let durations =
        registrar.histogram_vec("duration_seconds", "Durations.", ["method", "endpoint"]).unwrap();
    count(|| durations.with(["GET", "/v1/orders"]).observe(0.0125));
}

#[test]
#[ignore = "a workload"]
fn workload_request() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let inside = runtime.enter();
    let telemetry = start(&[NO_RECEIVER, ("OTEL_TRACES_SAMPLER", "always_off")]);
    drop(inside);
    let settings = StandardMetricsSettings::default();
    let metrics = StandardMetrics::new(Registrar::default(), settings).unwrap();
    let system = System::new();
    let app = App::new()
        .route("/live", web::get().to(HttpResponse::Ok))
        .wrap(Observe::new(metrics.http.clone()))
        .wrap(TracingLogger::<RootSpan>::new());
    let app = system.block_on(init_service(app));
    count(|| {
        let response = system.block_on(call_service(&app, TestRequest::get().uri("/live").to_request()));
        assert!(response.status().is_success());
    });
    telemetry.shut_down();
}
