//! The console in a real browser: what a person sees and does. It also makes the pictures of the README.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::Demo;
use crate::support::{Browser, Response, Screen, eventually, key, new_trace, optional_variable, traceparent};

pub(super) const WIDE: Screen = Screen { width: 1400, height: 1240, dark: false };
const DARK: Screen = Screen { dark: true, ..WIDE };
pub(super) const PHONE: Screen = Screen { width: 400, height: 1560, dark: false };

/// The text of a tile.
fn tile(name: &str) -> String {
    format!("document.querySelector('[data-tile={name}] strong')?.textContent ?? ''")
}

/// Opens the page of the demo as a person does: at the root of the API.
pub(super) async fn open(browser: &Browser, demo: &Demo) {
    browser.open(&format!("{}/", demo.api_url())).await;
    browser.until("the page has data", "document.querySelectorAll('#tiles .tile').length === 5").await;
}

pub(super) fn row_of(trace: &str) -> String {
    format!("#requests tr[data-trace=\"{trace}\"]")
}

/// Places an order in a new trace.
pub(super) async fn order(demo: &Demo) -> String {
    let owner = demo.api.log_in("acme", "owner@acme.example", "demo-password").await;
    let products = owner.get("/v1/products").await.expect(200);
    let trace = new_trace();
    let basket = json!({ "items": [{ "product_id": products["items"][0]["id"], "quantity": 1 }] });
    let request = owner.request(Method::POST, "/v1/orders").header("Idempotency-Key", key());
    Response::of(request.header("traceparent", traceparent(&trace)).json(&basket)).await.expect(201);
    trace
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_a_request_opens_it_and_breaks_something() {
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    open(&browser, &demo).await;
    assert_eq!(browser.evaluate("location.port").await, demo.management_url().rsplit(':').next().unwrap());

    // A request that was just sent. The page says itself how long that took, in milliseconds.
    let trace = order(&demo).await;
    let row = row_of(&trace);
    browser.until("the order is listed", &format!("document.querySelector('{row}') !== null")).await;

    // Its waterfall, with what the worker did later, its log records and its SQL.
    browser.click(&format!("{row} button")).await;
    let names = "[...document.querySelectorAll('#trace .waterfall .name')].map((name) => name.textContent)";
    let shows = |name: &str| format!("{names}.includes('{name}')");
    for name in
        ["POST /v1/orders", "charge_payment", "POST /v1/charges", "deliver order_paid", "send_confirmation"]
    {
        browser.until(&format!("the waterfall has {name}"), &shows(name)).await;
    }
    let panel = "document.querySelector('#trace-panel').textContent";
    browser
        .until(
            "the log is shown",
            &format!("{panel}.includes('order_placed') && {panel}.includes('outbox_delivered')"),
        )
        .await;
    for (tab, text) in [("sql", "INSERT INTO"), ("moved", "orders_total"), ("attributes", "http.route")] {
        browser.click(&format!("#tab-{tab}")).await;
        browser.until(tab, &format!("{panel}.includes('{text}')")).await;
    }
    browser.click("#tab-flame").await;
    browser.click("#trace-panel .flame button").await;
    browser.until("the flame graph is shown", "document.querySelector('.flame img')?.naturalWidth > 0").await;

    // A fault: the error ratio rises above the threshold, and falls when it is ended.
    assert_eq!(browser.evaluate(&tile("errors")).await, "0 %");
    browser.click("[data-fault=errors]").await;
    let is_on = "document.querySelector('[data-fault=errors]').getAttribute('aria-checked')";
    browser.until("the switch is on", &format!("{is_on} === 'true'")).await;
    browser
        .until(
            "the error ratio rises",
            "document.querySelector('[data-tile=errors] strong').className === 'bad'",
        )
        .await;
    browser.click("[data-fault=errors]").await;
    browser.until("the switch is off", &format!("{is_on} === 'false'")).await;
    assert_eq!(demo.management.get("/faults").await.expect(200), json!({ "faults": {} }));

    // The page grows meanwhile, so a click may miss.
    eventually("another tenant gets 404", async || {
        browser.click("[data-trial=other_tenant]").await;
        let has_answer = "document.querySelector('.exchange .warn')?.textContent === '404'";
        browser.soon(has_answer).await.then_some(())
    })
    .await;
    assert_eq!(browser.errors().await, Vec::<Value>::new());
}

/// A click on a span counts also if the trace grows between the press and the release of the button.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_on_a_trace_that_grows_is_not_lost() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    open(&browser, &demo).await;
    // All switches, so that the end of the fault does not move what is below them.
    browser.click("#what-if .chip").await;
    let stall = json!({ "stalled_outbox": { "seconds": 300 } });
    demo.management.send(Method::PUT, "/faults", Some(stall)).await.expect(200);
    let row = row_of(&order(&demo).await);
    browser.until("the order is listed", &format!("document.querySelector('{row}') !== null")).await;
    browser.click(&format!("{row} button")).await;
    let names = "[...document.querySelectorAll('#trace .waterfall .name')].map((name) => name.textContent)";
    browser.until("the trace is open", &format!("{names}.includes('settle')")).await;

    let span = "#trace .waterfall li:nth-child(2) button";
    browser.hold(span).await;
    demo.management.send(Method::DELETE, "/faults", None).await.expect(204);
    browser.until("the trace has grown", &format!("{names}.includes('send_confirmation')")).await;
    browser.let_go().await;
    let pressed = format!("document.querySelector('{span}').getAttribute('aria-pressed') === 'true'");
    browser.until("the span is selected", &pressed).await;
    let tab = "document.querySelector('#tab-attributes').getAttribute('aria-selected') === 'true'";
    browser.until("its attributes are shown", tab).await;
    assert_eq!(browser.errors().await, Vec::<Value>::new());
}

/// The graph of the error ratio is red where it is above the threshold of the alert.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_ratio_is_red_above_the_threshold() {
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let browser = Browser::start().await;
    open(&browser, &demo).await;
    let graph = "[...document.querySelectorAll('[data-tile=errors] svg path')]";
    let drawn = format!("{graph}.filter((path) => path.getAttribute('fill') === 'none')");
    browser.until("there is a graph", &format!("{drawn}.length === 1")).await;
    assert_eq!(browser.evaluate(&format!("{drawn}[0].getAttribute('stroke')")).await, "var(--ok)");
    let all_fail = json!({ "errors": { "seconds": 300 } });
    demo.management.send(Method::PUT, "/faults", Some(all_fail)).await.expect(200);
    browser.until("a part of it is red", &format!("{drawn}.length === 2")).await;
    let red = format!("(({{ stroke, clipPath }}) => [stroke, clipPath])(getComputedStyle({drawn}[1]))");
    let red = browser.evaluate(&red).await;
    let bad = "getComputedStyle(document.querySelector('[data-fault=errors]').closest('li').querySelector('.bad')).color";
    browser
        .until(
            "the switch is on",
            "document.querySelector('[data-fault=errors]').getAttribute('aria-checked') === 'true'",
        )
        .await;
    assert_eq!(red, json!([browser.evaluate(bad).await, "url(\"#above-threshold\")"]));
}

/// How long a request takes from its end to its row, as the page measures it itself. The bound is that of the promise, with the
/// best of some tries: the machine may be busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_listed_within_a_second() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    open(&browser, &demo).await;
    eventually("a request is listed within a second", async || {
        let trace = order(&demo).await;
        let row = row_of(&trace);
        let seen = format!(
            "new Promise((resolve) => {{ const look = () => document.querySelector('{row}') ? resolve(Date.now()) : \
             setTimeout(look, 5); look(); }})"
        );
        let seen = browser.evaluate(&seen).await.as_i64().unwrap();
        let kept = demo.management.get(&format!("/console/traces/{trace}")).await.expect(200);
        let span = kept["spans"].as_array().unwrap().iter().find(|span| span["name"] == "POST /v1/orders").unwrap();
        let ended = (span["start_us"].as_i64().unwrap() + span["duration_us"].as_i64().unwrap()) / 1000;
        (seen - ended <= 1000).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_works_with_the_keyboard_alone() {
    let demo = Demo::start(&["demo"], &[]).await;
    let browser = Browser::start().await;
    open(&browser, &demo).await;
    let (first, second) = (order(&demo).await, order(&demo).await);
    browser.until("both are listed", &format!("[...'ab'].length === 2 && document.querySelector('{}') && document.querySelector('{}') !== null", row_of(&first), row_of(&second))).await;
    let focused = "document.activeElement.closest('tr')?.dataset.trace ?? document.activeElement.id";
    let tab = "\u{e004}";
    eventually("Tab reaches the list", async || {
        browser.press(tab).await;
        (browser.evaluate(&format!("({focused}).length === 32")).await == true).then_some(())
    })
    .await;
    let (down, enter) = ("\u{e015}", "\u{e007}");
    let before = browser.evaluate(focused).await;
    browser.press(down).await;
    let after = browser.evaluate(focused).await;
    assert_ne!(before, after);
    browser.press(enter).await;
    browser.until("its trace is open", "document.querySelector('#trace .waterfall') !== null").await;
    browser
        .until("it is marked", "document.querySelector('#requests tr[aria-selected=true]') !== null")
        .await;
}

/// axe-core finds no violation of WCAG 2.1, levels A and AA, nor of its best practices, in both themes and on a phone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_no_violation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let axe = root.join("target/check-tools/node_modules/axe-core/axe.min.js");
    let axe =
        std::fs::read_to_string(axe).expect("first run `scripts/install-check-tools target/check-tools`");
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let browser = Browser::start().await;
    for screen in [WIDE, DARK, PHONE] {
        browser.set_screen(screen).await;
        open(&browser, &demo).await;
        browser
            .until("requests are listed", "document.querySelectorAll('#requests tbody tr').length > 5")
            .await;
        browser.click("#requests tbody button").await;
        browser.until("a trace is open", "document.querySelector('#trace .waterfall') !== null").await;
        // The policy of the page admits no script of another origin; the protocol of the browser may run one.
        browser.run(&axe).await;
        let violations = browser.evaluate("(await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)])").await;
        assert_eq!(violations, json!([]), "{screen:?}");
    }
}

/// The pictures of the README, made of what the demo shows: `PICTURES=docs/pictures` writes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_of_the_readme_can_be_made() {
    let demo = Demo::start(&["demo", "--traffic"], &[]).await;
    let browser = Browser::start().await;
    browser.set_screen(WIDE).await;
    open(&browser, &demo).await;
    let folder = optional_variable("PICTURES")
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(folder));
    if folder.is_some() {
        // A minute of history, then a fault that has lasted for a while.
        browser
            .until("there is some history", "document.querySelectorAll('#requests tbody tr').length >= 100")
            .await;
        tokio::time::sleep(std::time::Duration::from_secs(75)).await;
        browser.click("[data-fault=errors]").await;
        tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    }
    for (name, screen) in [("console-dark", DARK), ("console-light", WIDE), ("console-phone", PHONE)] {
        browser.set_screen(screen).await;
        let trace = order_that_succeeds(&demo).await;
        let row = row_of(&trace);
        browser.until("the order is listed", &format!("document.querySelector('{row}') !== null")).await;
        browser.click(&format!("{row} button")).await;
        browser.leave().await;
        browser.until("its trace is complete", "document.querySelector('#trace .waterfall')?.textContent.includes('send_confirmation') === true").await;
        // On a phone, opening a trace scrolls to it.
        let still =
            "new Promise((done) => { onscrollend = () => done(true); setTimeout(() => done(true), 2000); })";
        browser.evaluate(still).await;
        browser.evaluate("window.scrollTo({ top: 0, behavior: 'instant' }) ?? true").await;
        let picture = browser.picture().await;
        assert!(picture.len() > 20_000, "{name}");
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        }
    }
}

/// An order, also while one request in five fails.
async fn order_that_succeeds(demo: &Demo) -> String {
    let placed = eventually("an order is placed", async || {
        let trial = demo.management.post("/console/demo/trials", json!({ "trial": "place_order" })).await;
        let exchange = trial.body["exchanges"].get(1)?.clone();
        (exchange["status"] == 201).then_some(exchange)
    })
    .await;
    placed["trace_id"].as_str().unwrap().to_owned()
}
