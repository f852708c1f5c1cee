//! A real browser: headless Chromium, driven over WebDriver (W3C), which is JSON over HTTP.
//!
//! The crates for it bring a second version of a dozen dependencies and a copyleft license (fantoccini), or a minute of build
//! time (chromiumoxide), for the few commands that are needed here.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::eventually;

/// A browser with one page. Dropping it ends it.
pub(crate) struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
}

/// The size of the page, in CSS pixels, and its theme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

impl Browser {
    /// Starts chromedriver and Chromium, which Debian has in `chromium-driver` and `chromium`.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let log = profile.path().join("driver.log");
        // chromedriver writes the port that it has chosen to standard output.
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            // Chromium is in its group, and ends with it.
            .process_group(0)
            .spawn()
            .expect("chromedriver starts: first run `scripts/install-browser`");
        let port = eventually("chromedriver listens", async || {
            let text = std::fs::read_to_string(&log).unwrap();
            Some(text.split("started successfully on port ").nth(1)?.split('.').next()?.to_owned())
        })
        .await;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let data = format!("--user-data-dir={}", profile.path().join("data").display());
        let arguments = [
            "--headless=new",
            // Chromium's sandbox refuses to run as root, as which containers of CI do.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            &data,
        ];
        let options = json!({ "args": arguments });
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let created: Value =
            http.post(&driver_url).json(&capabilities).send().await.unwrap().json().await.unwrap();
        let id = created["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {created}"));
        let session = format!("{driver_url}/{id}");
        Self { driver, http, session, _profile: profile }
    }

    /// Opens a page.
    pub(crate) async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// Sets the size of the page and the theme that it prefers.
    pub(crate) async fn set_screen(&self, screen: Screen) {
        let Screen { width, height, dark } = screen;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let theme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// The value of a JavaScript expression in the page. It may be a promise.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; (async () => ({expression}))().then(done, (error) => \
             done({{ failed: String(error) }}));"
        );
        self.command("execute/async", json!({ "script": script, "args": [] })).await
    }

    /// Runs a script that defines something for later.
    pub(crate) async fn run(&self, script: &str) {
        self.devtools("Runtime.evaluate", json!({ "expression": script })).await;
    }

    /// Waits until the expression is true.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        eventually(what, async || (self.evaluate(expression).await == true).then_some(())).await;
    }

    /// Whether the expression becomes true within three seconds.
    pub(crate) async fn soon(&self, expression: &str) -> bool {
        let look = format!(
            "new Promise((resolve) => {{ const end = Date.now() + 3000; const look = () => {{ const is = {expression}; \
             if (is || Date.now() > end) resolve(is); else setTimeout(look, 20); }}; look(); }})"
        );
        self.evaluate(&look).await == true
    }

    /// Clicks on the first element that the selector matches, as a pointer does.
    pub(crate) async fn click(&self, selector: &str) {
        // Between two commands, a part of the page may be replaced, or rows that come in may move the element out of sight.
        eventually(selector, async || self.try_click(selector).await.then_some(())).await;
    }

    /// `false` if the element was replaced meanwhile, or is covered by another one: then it is scrolled to the middle.
    async fn try_click(&self, selector: &str) -> bool {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.command("element", wanted).await;
        let element = found.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
        let element = element.unwrap_or_else(|| panic!("no {selector}: {found}"));
        let clicked = self.send(&format!("element/{element}/click"), &json!({})).await;
        let error = clicked.get("error").and_then(Value::as_str);
        match error {
            None => true,
            Some("stale element reference") => false,
            Some("element click intercepted") => {
                let element = format!("document.querySelector({})", json!(selector));
                self.evaluate(&format!(
                    "{element}?.scrollIntoView({{ block: 'center', behavior: 'instant' }}) ?? true"
                ))
                .await;
                false
            }
            Some(_) => panic!("{selector}: {clicked}"),
        }
    }

    /// Presses the button of the pointer on the first element that the selector matches, and holds it.
    pub(crate) async fn hold(&self, selector: &str) {
        let found = self.command("element", json!({ "using": "css selector", "value": selector })).await;
        let there = json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": found });
        self.point(json!([there, { "type": "pointerDown", "button": 0 }])).await;
    }

    /// Releases the button of the pointer.
    pub(crate) async fn let_go(&self) {
        self.point(json!([{ "type": "pointerUp", "button": 0 }])).await;
    }

    /// Moves the pointer away from what it is over.
    pub(crate) async fn leave(&self) {
        self.point(json!([{ "type": "pointerMove", "duration": 0, "x": 1, "y": 1 }])).await;
    }

    async fn point(&self, actions: Value) {
        let pointer = json!({ "type": "pointer", "id": "mouse", "actions": actions });
        self.command("actions", json!({ "actions": [pointer] })).await;
    }

    /// Presses keys, such as `\u{e015}` for the arrow down.
    pub(crate) async fn press(&self, keys: &str) {
        let actions = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions.collect::<Vec<_>>() });
        self.command("actions", json!({ "actions": [keyboard] })).await;
    }

    /// A picture of what is visible (PNG).
    pub(crate) async fn picture(&self) -> Vec<u8> {
        use base64::Engine;
        let picture = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// What the page wrote to the console of the browser at the level of errors.
    pub(crate) async fn errors(&self) -> Vec<Value> {
        let entries = self.command("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.into_iter().filter(|entry| entry["level"] == "SEVERE").collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let value = self.send(path, &body).await;
        assert!(value.get("error").is_none(), "{path} {body}: {value}");
        value
    }

    async fn send(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.session)).json(body);
        let mut response: Value = request.send().await.unwrap().json().await.unwrap();
        response["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}
