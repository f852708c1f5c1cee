//! The behavior of the payment-gateway simulator, as `PUT /control` reads it.

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, HOST};
use actix_web::test::TestRequest;
use actix_web::{App, web};
use glasshouse_api::gateway_simulator::{Simulator, routes};
use glasshouse_api::http::AllowedHosts;
use serde_json::Value;

use super::service::Service;
use crate::Target;

pub(super) const TARGET: Target = Target {
    name: "gateway_behavior",
    seeds: &[
        r#"{"latency_ms":20,"error_rate":0.5,"timeout_rate":0,"decline_rate":1}"#,
        r#"{"latency_ms":60001}"#,
        r#"{"error_rate":-0.0,"decline_rate":1e-300}"#,
        r#"{"timeout_rate":1.5}"#,
        "{}",
    ],
    dictionary: &[
        "\"latency_ms\":",
        "\"error_rate\":",
        "\"timeout_rate\":",
        "\"decline_rate\":",
        "60000",
        "1.0",
        "1e400",
        "null",
    ],
    run,
};

thread_local! {
    static SERVICE: &'static Service = {
        let hosts = AllowedHosts::new(([127, 0, 0, 1], 8090).into(), Vec::new());
        let app = App::new().app_data(web::Data::new(Simulator::default())).app_data(web::Data::new(hosts));
        Service::new(app.configure(routes)).leaked()
    };
}

fn run(input: &[u8]) {
    let on_control = |request: TestRequest| request.uri("/control").insert_header((HOST, "localhost"));
    let call = |request: TestRequest| SERVICE.with(|service| service.call(on_control(request).to_request()));
    let put = TestRequest::put().insert_header(ContentType::json()).set_payload(input.to_vec());
    let response = call(put);
    match response.status {
        StatusCode::OK => {
            let behavior: Value = serde_json::from_slice(&response.body).expect("a behavior");
            assert!(behavior["latency_ms"].as_u64().is_some_and(|latency| latency <= 60_000));
            for rate in ["error_rate", "timeout_rate", "decline_rate"] {
                let ratio = behavior[rate].as_f64().expect("a number");
                assert!((0.0..=1.0).contains(&ratio), "{rate} is {ratio}");
            }
            assert_eq!(call(TestRequest::get()).body, response.body, "it has another behavior");
            assert_eq!(call(TestRequest::delete()).status, StatusCode::NO_CONTENT);
        }
        StatusCode::BAD_REQUEST => {}
        StatusCode::UNPROCESSABLE_ENTITY => {
            let body = String::from_utf8_lossy(&response.body);
            assert!(body.contains("must be"), "the error does not help: {body}");
        }
        status => panic!("{status}"),
    }
}
