//! What the demo adds: traffic, trials, and switches for faults.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Demo, spans};
use crate::command_line::common;
use crate::support::{Backend, Process, Scrape, TestApp, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_makes_traffic_if_it_is_asked_to() {
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let wanted = ["/v1/products", "/v1/products/{id}", "/v1/orders", "/v1/orders/{id}", "/v1/users/me"];
    eventually("there is a mix of requests", async || {
        let scrape = Scrape::of(&demo.management).await;
        let seen =
            |endpoint: &&str| scrape.sum("http_requests_total", &format!("endpoint=\"{endpoint}\"")) > 0.0;
        (wanted.iter().all(seen) && scrape.sum("orders_total", "status=\"paid\"") > 0.0).then_some(())
    })
    .await;
    // It works without an error of its own.
    assert_eq!(Scrape::of(&demo.management).await.sum("http_requests_total", "status=\"5"), 0.0);
    demo.management
        .send(Method::PUT, "/console/demo/traffic", Some(json!({ "on": false })))
        .await
        .expect(200);
    let requests = async || Scrape::of(&demo.management).await.sum("http_requests_total", "");
    eventually("it stands still", async || {
        let before = requests().await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        (requests().await == before).then_some(())
    })
    .await;
    let ended = Process::run(&["demo", "--traffic", "--no-traffic"], &common()).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trial_does_what_its_button_says() {
    let demo = Demo::start(&["demo"], &[]).await;
    for (trial, statuses) in [
        ("place_order", vec![200, 201]),
        ("owner_lists_users", vec![200, 200]),
        ("admin_lists_users", vec![200, 200]),
        ("member_lists_users", vec![200, 403]),
        ("other_tenant", vec![200, 404]),
        ("wrong_password", vec![401]),
    ] {
        let body = demo.management.post("/console/demo/trials", json!({ "trial": trial })).await.expect(200);
        let exchanges = body["exchanges"].as_array().unwrap();
        assert_eq!(
            exchanges.iter().map(|exchange| exchange["status"].as_i64().unwrap()).collect::<Vec<_>>(),
            statuses,
            "{trial}"
        );
        for exchange in exchanges {
            demo.trace(exchange["trace_id"].as_str().unwrap(), |trace| !spans(trace).is_empty()).await;
            assert!(exchange["curl"].as_str().unwrap().contains("/v1/"));
        }
        let bodies: Vec<_> = exchanges.iter().map(|exchange| exchange["body"].to_string()).collect();
        assert!(!bodies.concat().contains("eyJ"), "a token is left out: {bodies:?}");
    }
    // The command that is shown does the same.
    let place =
        demo.management.post("/console/demo/trials", json!({ "trial": "place_order" })).await.expect(200);
    let login = demo
        .management
        .post("/console/demo/trials", json!({ "trial": "owner_lists_users" }))
        .await
        .expect(200);
    let [login, order] =
        [&login["exchanges"][0]["curl"], &place["exchanges"][1]["curl"]].map(|curl| curl.as_str().unwrap());
    let printed =
        std::process::Command::new("bash").args(["-c", &format!("{login}\n{order}")]).output().unwrap();
    let placed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(placed["status"], "paid", "{printed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_offered_fault_can_be_switched_on_and_off() {
    let demo = Demo::start(&["demo"], &[]).await;
    let process = demo.management.get("/console/process").await.expect(200);
    let experiments = process["experiments"].as_array().unwrap();
    assert!(experiments.len() >= 10, "{experiments:?}");
    for experiment in experiments {
        let id = experiment["id"].as_str().unwrap();
        if experiment["faults"].is_object() {
            let active = demo
                .management
                .send(Method::PUT, "/faults", Some(experiment["faults"].clone()))
                .await
                .expect(200);
            assert!(active["faults"][id]["seconds_left"].as_f64().unwrap() > 0.0, "{id}: {active}");
        } else {
            let set = demo
                .management
                .send(Method::PUT, "/console/gateway", Some(experiment["gateway"].clone()))
                .await;
            assert_eq!(set.expect(200)["seconds"], 300, "{id}");
        }
        let runbook = format!("/console/runbooks/{}", experiment["runbook"].as_str().unwrap());
        let alert = experiment["alert"].as_str().unwrap();
        let text = demo.management.get(&format!("{runbook}.md")).await.expect(200);
        assert!(text.as_str().unwrap().starts_with(&format!("# {alert}")), "{id}");
        for path in [runbook.clone(), format!("{runbook}.html")] {
            let page = demo.management.get(&path).await;
            assert!(page.header("content-type").starts_with("text/html"), "{path}");
            assert!(page.expect(200).as_str().unwrap().contains(&format!(">{alert}</h1>")), "{path}");
        }
    }
    demo.management.send(Method::DELETE, "/faults", None).await.expect(204);
    demo.management.send(Method::DELETE, "/console/gateway", None).await.expect(204);
    // Without faults there is nothing to switch on.
    let quiet = TestApp::start_with(Backend::Embedded, &[("GLASSHOUSE_FAULTS_ENABLED", "false")]).await;
    assert_eq!(quiet.management().get("/console/process").await.expect(200)["experiments"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_behaves_again_by_itself() {
    let app = TestApp::start(Backend::Embedded).await;
    let owner = app.new_tenant().await;
    let product = owner.add_product(100).await;
    let declines = json!({ "decline_rate": 1.0, "seconds": 1 });
    app.management().send(Method::PUT, "/console/gateway", Some(declines)).await.expect(200);
    eventually("payments succeed", async || {
        let order = owner.order(&product, 1).await.expect(201);
        (order["status"] == "paid").then_some(())
    })
    .await;
}
