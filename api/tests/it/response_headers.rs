//! Headers that protect a response: what may be cached, and what a browser may do with it.

use reqwest::Method;
use serde_json::json;

use crate::support::{Backend, PASSWORD, Playground, Response, TestApp, operations};

const STRICT: &str = "default-src 'none'; frame-ancestors 'none'";

#[track_caller]
fn assert_protected(response: &Response, case: &str) {
    assert_eq!(response.header("x-content-type-options"), "nosniff", "{case}");
    assert_eq!(response.header("x-frame-options"), "DENY", "{case}");
    let policy = response.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{case}: {policy}"
    );
}

#[tokio::test]
async fn no_answer_of_the_api_is_cached_or_run_by_a_browser() {
    let play = Playground::new(Backend::Embedded).await;
    for (name, _) in operations() {
        for client in [&play.owner, &play.app.anonymous()] {
            let id = uuid::Uuid::now_v7().to_string();
            let response = client.send_raw(&name, &id, "{}").await;
            assert_eq!(response.header("cache-control"), "no-store", "{name}: {response:?}");
            assert_eq!(response.header("content-security-policy"), STRICT, "{name}");
            assert_protected(&response, &name);
        }
    }
    for path in
        ["/v1/users/me", "/v1/users", "/v1/products", "/v1/orders", "/health/live", "/health/ready", "/nope"]
    {
        for method in [Method::GET, Method::HEAD] {
            let response = play.owner.send(method.clone(), path, None).await;
            assert_eq!(response.header("cache-control"), "no-store", "{method} {path}: {response:?}");
            assert_protected(&response, path);
        }
    }
    let slug = play.owner.tenant();
    let login = json!({ "tenant": slug, "email": format!("owner@{slug}.example"), "password": PASSWORD });
    let login = play.app.anonymous().post("/v1/auth/login", login).await;
    assert_eq!((login.status.as_u16(), login.header("cache-control")), (200, "no-store"));
}

#[tokio::test]
async fn pages_run_their_own_scripts_alone_and_in_no_frame() {
    let app = TestApp::start(Backend::Embedded).await;
    for path in [
        "/docs",
        "/docs/",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/docs/nope",
        "/openapi.json",
    ] {
        assert_protected(&app.anonymous().get(path).await, path);
    }
    let page = app.anonymous().get("/docs/").await;
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self';"), "{policy}");
    // The policy allows what the page contains: no inline scripts.
    let html = page.expect(200).as_str().unwrap().to_owned();
    let inline =
        html.split("<script").skip(1).filter(|script| !script.split('>').next().unwrap().contains("src="));
    assert_eq!(inline.collect::<Vec<_>>(), Vec::<&str>::new());
    for source in html.split("src=\"").skip(1).chain(html.split("href=\"").skip(1)) {
        assert!(!source.starts_with("http") && !source.starts_with("//"), "{source}");
    }
}

#[tokio::test]
async fn answers_of_the_management_interface_are_protected_too() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_FAULTS_ENABLED", "true")]).await;
    for path in [
        "/metrics",
        "/health/live",
        "/health/ready",
        "/faults",
        "/nope",
        "/debug/pprof/flamegraph?seconds=0",
        "/debug/pprof/profile?seconds=x",
    ] {
        let response = app.management().get(path).await;
        assert_eq!(response.header("cache-control"), "no-store", "{path}");
        assert_protected(&response, path);
    }
}
