//! The page in less common states: filters, a process that ends and comes back, many faults at once, failed and long requests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{PHONE, WIDE, open, order, row_of};
use super::{Demo, free_address};
use crate::support::{Browser, Screen, eventually, new_trace, traceparent};

/// The page records what it does not handle itself.
const WATCH: &str = "(window.unhandled = [], window.addEventListener('unhandledrejection', (event) => \
    window.unhandled.push(String(event.reason))), true)";

/// The statuses, endpoints and tenants that are listed, each once.
const LISTED: &str = "[1, 2, 3].map((column) => [...new Set([...document.querySelectorAll('#requests tbody tr')]\
    .map((row) => row.cells[column].textContent))].sort())";

/// Chooses an option of a filter, as a person does with the keyboard.
async fn choose(browser: &Browser, filter: &str, value: &str) {
    let choose = format!(
        "(() => {{ const filter = document.querySelector('#requests form').elements['{filter}']; filter.value = '{value}'; \
         filter.dispatchEvent(new Event('change', {{ bubbles: true }})); return filter.value; }})()"
    );
    assert_eq!(browser.evaluate(&choose).await, json!(value), "there is an option {value}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_of_requests_combine() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    // At the root of the API, the page itself would be a request.
    browser.open(&format!("{}/", demo.management_url())).await;
    browser.until("the page has data", "document.querySelectorAll('#tiles .tile').length === 5").await;
    let empty = "document.querySelector('#requests .empty')";
    assert_eq!(
        browser.evaluate(&format!("{empty}.hidden ? '' : {empty}.textContent")).await,
        "No request yet."
    );
    for tenant in ["acme", "globex"] {
        let owner = demo.api.log_in(tenant, &format!("owner@{tenant}.example"), "demo-password").await;
        owner.get("/v1/products").await.expect(200);
        owner.get("/v1/orders/00000000-0000-7000-8000-000000000000").await.expect(404);
    }
    let rows = "document.querySelectorAll('#requests tbody tr').length";
    browser.until("all are listed", &format!("{rows} === 6")).await;
    let (orders, products) = ("GET /v1/orders/{id}", "GET /v1/products");
    for (filters, listed) in [
        (vec![("status", "refused")], json!([[orders], ["acme", "globex"], ["404"]])),
        (vec![("tenant", "globex")], json!([[orders], ["globex"], ["404"]])),
        (vec![("status", "")], json!([[orders, products], ["globex"], ["200", "404"]])),
        (vec![("endpoint", products)], json!([[products], ["globex"], ["200"]])),
        (vec![("tenant", "")], json!([[products], ["acme", "globex"], ["200"]])),
        (vec![("status", "failed")], json!([[], [], []])),
        (vec![("status", ""), ("endpoint", ""), ("slower", "1000")], json!([[], [], []])),
    ] {
        for (filter, value) in &filters {
            choose(&browser, filter, value).await;
        }
        assert_eq!(browser.evaluate(LISTED).await, listed, "{filters:?}");
        let is_empty = listed[0] == json!([]);
        let message = browser.evaluate(&format!("{empty}.hidden ? '' : {empty}.textContent")).await;
        assert_eq!(message, if is_empty { "No request matches." } else { "" }, "{filters:?}");
    }
}

/// The page says that the process is gone, what a click could not do, and that the process is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_comes_back_with_the_process() {
    let [api, management] = [free_address(), free_address()];
    let addresses = [("GLASSHOUSE_HTTP_ADDR", &*api), ("GLASSHOUSE_MANAGEMENT_ADDR", &*management)];
    let demo = Demo::start(&["demo"], &addresses).await;
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    open(&browser, &demo).await;
    browser.evaluate(WATCH).await;
    let before = row_of(&order(&demo).await);
    browser.until("an order is listed", &format!("document.querySelector('{before}') !== null")).await;
    // The pointer is in the list, which stands still.
    browser.click(&format!("{before} button")).await;
    browser.until("its trace is open", "document.querySelector('#trace .waterfall') !== null").await;

    demo.process.signal("KILL");
    let health = "document.querySelector('#health').textContent";
    browser.until("the page says so", &format!("{health}.includes('connection lost')")).await;
    for (control, message) in [
        ("[data-fault=errors]", "document.querySelector('#what-if').textContent"),
        ("[data-trial=place_order]", "document.querySelector('#try').textContent"),
        ("#demo-traffic button", "document.querySelector('#demo-traffic').textContent"),
    ] {
        let before = browser.evaluate(message).await;
        browser.click(control).await;
        browser.until(&format!("{control} says why"), &format!("{message} !== {before}")).await;
    }
    // What Prometheus says is unknown now, and not that there is none.
    let alerts = "document.querySelector('#alerts').textContent";
    browser.until("alerts say so", &format!("{alerts}.includes('does not answer')")).await;
    // Something else answers with an error: the browser gives up then, and the page does not.
    let proxy = TcpListener::bind(&management).unwrap();
    tokio::task::spawn_blocking(move || reject_until_events(&proxy)).await.unwrap();
    drop(demo);

    let demo = Demo::start(&["demo"], &addresses).await;
    browser
        .until("the page says so", &format!("{health}.includes('ready') && !{health}.includes('lost')"))
        .await;
    browser.until("alerts are known again", &format!("{alerts}.includes('none is configured here')")).await;
    browser.until("the list begins anew", &format!("document.querySelector('{before}') === null")).await;
    // The pointer that is still in the list does not keep the new one empty.
    let after = row_of(&order(&demo).await);
    browser.leave().await;
    browser.until("a new order is listed", &format!("document.querySelector('{after}') !== null")).await;
    browser.evaluate("scrollTo(0, 0) ?? true").await;
    browser.click("[data-fault=errors]").await;
    let is_on = "document.querySelector('[data-fault=errors]').getAttribute('aria-checked') === 'true'";
    browser.until("switches work again", is_on).await;
    assert_eq!(browser.evaluate("window.unhandled").await, json!([]));
}

/// Answers with 503, until the stream of events was requested.
fn reject_until_events(listener: &TcpListener) {
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut head = String::new();
        let is_read = BufReader::new(&connection).read_line(&mut head);
        // The browser may have opened a connection that it does not use.
        if is_read.is_ok() && !head.is_empty() {
            let _ = connection.write_all(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
        if head.contains("/console/events") {
            return;
        }
    }
}

/// The header stays at the top of the window. What has the focus is not behind it (WCAG 2.2, criterion 2.4.11).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_the_focus_can_be_seen() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    for screen in [Screen { height: 600, ..WIDE }, Screen { height: 600, ..PHONE }] {
        browser.set_screen(screen).await;
        open(&browser, &demo).await;
        let row = row_of(&order(&demo).await);
        browser.until("an order is listed", &format!("document.querySelector('{row}') !== null")).await;
        browser.click(&format!("{row} button")).await;
        browser.until("its trace is open", "document.querySelector('#trace .waterfall') !== null").await;
        let behind = "[...document.querySelectorAll('main button, main a, main select')]\
            .filter((element) => element.checkVisibility()).filter((element) => {\
              const top = scrollY + element.getBoundingClientRect().top;\
              scrollTo({ top: top - 5, behavior: 'instant' });\
              element.focus();\
              const header = document.querySelector('header').getBoundingClientRect();\
              return element.getBoundingClientRect().top < header.bottom;\
            }).map((element) => element.outerHTML)";
        assert_eq!(browser.evaluate(behind).await, json!([]), "{screen:?}");
    }
}

/// Each switch says which alert it raises, and links its runbook; those that are on stay on beside a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_can_be_on_at_once() {
    let demo = Demo::start(&["demo"], &[]).await;
    let process = demo.management.get("/console/process").await.expect(200);
    let experiments = process["experiments"].as_array().unwrap();
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    open(&browser, &demo).await;
    browser.click("#what-if .chip").await;
    let faults: Vec<_> = experiments.iter().filter(|one| one["faults"].is_object()).collect();
    for (number, experiment) in faults.iter().enumerate() {
        let id = experiment["id"].as_str().unwrap();
        browser.click(&format!("[data-fault={id}]")).await;
        let on = "document.querySelectorAll('#what-if [data-fault][aria-checked=true]').length";
        browser.until(&format!("{id} is on, too"), &format!("{on} === {}", number + 1)).await;
        let text = format!("document.querySelector('[data-fault={id}]').closest('li').textContent");
        let raises = format!("on, raises {}; ends in ", experiment["alert"].as_str().unwrap());
        let says = format!("{text}.includes('{raises}')");
        browser.until(&format!("{id} says what it raises"), &says).await;
        browser.click(&format!("li:has([data-fault={id}]) a")).await;
        let title = "document.querySelector('dialog[open] h2')?.textContent";
        let opened = format!("{title} === '{}'", experiment["alert"].as_str().unwrap());
        browser.until(&format!("{id} has a runbook"), &opened).await;
        browser.click("dialog button").await;
    }
    let active = demo.management.get("/faults").await.expect(200);
    assert_eq!(active["faults"].as_object().unwrap().len(), faults.len(), "{active}");
}

/// A long URL, a body that is no JSON and a failure inside: each has a trace, which fits a phone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_and_long_requests_fit_a_phone() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    browser.set_screen(PHONE).await;
    open(&browser, &demo).await;
    let owner = demo.api.log_in("acme", "owner@acme.example", "demo-password").await;
    let long = format!("/v1/products?limit=20&cursor={}", "a".repeat(6000));
    let unknown = format!("/{}", "no-such-route".repeat(200));
    let fails = json!({ "errors": { "endpoint": "/v1/orders", "seconds": 300 } });
    demo.management.send(Method::PUT, "/faults", Some(fails)).await.expect(200);
    for (path, status) in [(&*long, 422), (&unknown, 404), ("/v1/orders", 500)] {
        let trace = new_trace();
        let request = owner.request(Method::GET, path).header("traceparent", traceparent(&trace));
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
        let row = row_of(&trace);
        browser.until("it is listed", &format!("document.querySelector('{row}') !== null")).await;
        eventually("its trace opens", async || {
            browser.click(&format!("{row} button")).await;
            let head = "document.querySelector('#trace .head')?.textContent ?? ''";
            browser.soon(&format!("({head}).includes('{status}')")).await.then_some(())
        })
        .await;
        for tab in ["log", "sql", "attributes", "flame", "moved"] {
            browser.click(&format!("#tab-{tab}")).await;
            let width = browser.evaluate("[document.documentElement.scrollWidth, window.innerWidth]").await;
            assert!(width[0].as_i64() <= width[1].as_i64(), "{path:.40} {tab}: {width}");
        }
    }
    assert_eq!(browser.errors().await, Vec::<Value>::new());
}
