//! The page and its files, and who may have them.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, ETAG, HOST, IF_NONE_MATCH, LOCATION};
use serde_json::json;

use super::{ROUTES, expect_code};
use crate::support::{Backend, Response, TestApp};

#[tokio::test]
async fn the_page_needs_nothing_but_this_process() {
    let app = TestApp::start(Backend::Embedded).await;
    let management = app.management();
    let page = management.get("/").await;
    let policy = page.header("content-security-policy").to_owned();
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{directive}: {policy}");
    }
    assert!(page.header("content-type").starts_with("text/html"));
    let mut files = BTreeSet::from(["/".to_owned()]);
    let mut unread = vec![page.expect(200).as_str().unwrap().to_owned()];
    while let Some(text) = unread.pop() {
        assert!(!text.contains("https://") && !text.contains("//cdn"), "{text}");
        let quoted = text.split(['"', '\'']);
        let names = quoted.filter_map(|name| match name.strip_prefix("./") {
            Some(module) => Some(format!("/console/{module}")),
            None => (name.starts_with("/console/") && name.contains('.')).then(|| name.to_owned()),
        });
        for name in names.collect::<Vec<_>>() {
            if files.insert(name.clone()) {
                let file = management.get(&name).await;
                assert_eq!(file.header("x-content-type-options"), "nosniff", "{name}");
                unread.push(file.expect(200).as_str().unwrap().to_owned());
            }
        }
    }
    assert!(files.len() >= 12, "{files:?}");
    let mut weight = 0;
    for name in &files {
        let request = management.request(Method::GET, name).header(ACCEPT_ENCODING, "gzip");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{name}");
        let tag = response.headers()[ETAG].clone();
        weight += response.bytes().await.unwrap().len();
        let again = management.request(Method::GET, name).header(ACCEPT_ENCODING, "gzip");
        assert_eq!(again.header(IF_NONE_MATCH, tag).send().await.unwrap().status().as_u16(), 304, "{name}");
    }
    assert!(weight <= 150_000, "{weight} bytes");
}

#[tokio::test]
async fn without_the_setting_there_is_no_console() {
    let app = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_CONSOLE", "false")]).await;
    for (method, path, body) in ROUTES {
        for client in [app.management(), app.anonymous()] {
            let body = body.map(|body| serde_json::from_str(body).unwrap());
            expect_code(client.send(method.parse().unwrap(), path, body).await, 404, "unknown_route");
        }
    }
}

#[tokio::test]
async fn the_root_of_the_demo_leads_to_the_console_on_this_machine_alone() {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let app = TestApp::start(Backend::Embedded).await;
    let url = format!("http://{}/", app.addresses.http.unwrap());
    let response = client.get(&url).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 307);
    let console = format!("http://{}/", app.addresses.management.unwrap());
    assert_eq!(response.headers()[LOCATION], *console);
    let rejected = client.post(&url).send().await.unwrap();
    assert_eq!(
        (rejected.status().as_u16(), rejected.headers()["allow"].to_str().unwrap()),
        (405, "GET, HEAD")
    );
    // And nothing of the console is on the public listener.
    for (method, path, _) in ROUTES.iter().skip(1) {
        app.anonymous().send(method.parse().unwrap(), path, None).await.expect_problem(404, "unknown_route");
    }
    for settings in [("GLASSHOUSE_HTTP_ADDR", "0.0.0.0:0"), ("GLASSHOUSE_MANAGEMENT_ADDR", "0.0.0.0:0")] {
        let app = TestApp::start_with(Backend::Embedded, &[settings]).await;
        let url = format!("http://127.0.0.1:{}/", app.addresses.http.unwrap().port());
        assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 404, "{settings:?}");
    }
}

#[tokio::test]
async fn a_page_that_took_another_name_sees_and_changes_nothing() {
    let app = TestApp::start(Backend::Embedded).await;
    for (method, path, body) in ROUTES {
        let request = app.management().request(method.parse().unwrap(), path).header(HOST, "evil.example");
        let request = request.header("Content-Type", "application/json").body(body.unwrap_or_default());
        expect_code(Response::of(request).await, 421, "unknown_host");
    }
    // A page of another origin can send what needs no preflight, and that is no JSON.
    for (method, path, body) in ROUTES.iter().filter(|(_, _, body)| body.is_some()) {
        let request =
            app.management().request(method.parse().unwrap(), path).header("Content-Type", "text/plain");
        let status = request.body(body.unwrap()).send().await.unwrap().status().as_u16();
        assert!((400..500).contains(&status), "{method} {path}: {status}");
    }
    let behavior = app.gateway().get("/control").await.expect(200);
    assert_eq!(behavior["decline_rate"], 0.0);
}

#[tokio::test]
async fn bad_requests_say_what_to_do() {
    let app = TestApp::start(Backend::Embedded).await;
    let management = app.management();
    for (path, status, code) in [
        ("/console/nope.js", 404, "unknown_route"),
        ("/console/traces/xyz", 400, "invalid_trace_id"),
        ("/console/traces/+af7651916cd43dd8448eb211c80319c", 400, "invalid_trace_id"),
        ("/console/traces/0af7651916cd43dd8448eb211c80319c", 404, "unknown_trace"),
        ("/console/traffic?seconds=0", 400, "invalid_query"),
        ("/console/traffic?seconds=301", 400, "invalid_query"),
        ("/console/runbooks/nope", 404, "unknown_runbook"),
        ("/console/runbooks/nope.html", 404, "unknown_runbook"),
        ("/console/runbooks/..%2f..%2fREADME", 404, "unknown_runbook"),
    ] {
        expect_code(management.get(path).await, status, code);
    }
    let repetition = json!({ "operation": "GET /v1/products", "seconds": 31 });
    expect_code(management.post("/console/demo/repetitions", repetition).await, 400, "invalid_seconds");
    // The tenants of the demo are not there: the command adds them.
    let trial = json!({ "trial": "place_order" });
    expect_code(management.post("/console/demo/trials", trial).await, 409, "demo_changed");
    for (path, allowed) in
        [("/", "GET, HEAD"), ("/console/gateway", "DELETE, GET, HEAD, PUT"), ("/console/demo/trials", "POST")]
    {
        let response = management.send(Method::PATCH, path, None).await;
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, allowed), "{path}");
    }
}
