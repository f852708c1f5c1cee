//! `/console/events`: what happens, as server-sent events (HTML Standard, section 9.2).
//!
//! | event | when | data |
//! | --- | --- | --- |
//! | `history` | first | the points of the last five minutes |
//! | `requests` | at once, and as they complete | completed requests, oldest first |
//! | `tick` | every second | the newest point, the last minute, health, faults, and the demo's traffic |

use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ConsoleParts;
use crate::console::SAMPLE_EVERY;
use crate::http::Draining;
use crate::http::health::Dependencies;
use crate::http::management::faults::FaultPanel;

/// How often completed requests are sent.
const REQUESTS_EVERY: Duration = Duration::from_millis(250);

/// The number of completed requests that the page begins with.
const BACKLOG: usize = 300;

/// The most that are sent at once later: more than a person sees in a quarter of a second. Of more, the newest are sent.
const BATCH: usize = 50;

/// The seconds of the window of the page's numbers.
const WINDOW_SECONDS: u64 = 60;

/// One connected page.
struct Page {
    parts: web::Data<ConsoleParts>,
    panel: web::Data<FaultPanel>,
    dependencies: web::Data<Dependencies>,
    draining: web::Data<Draining>,
    /// The last request that was sent.
    sequence: u64,
    /// The time of the last `tick`; `None` before the first one.
    ticked: Option<Instant>,
}

pub(super) async fn events(
    parts: web::Data<ConsoleParts>,
    panel: web::Data<FaultPanel>,
    dependencies: web::Data<Dependencies>,
    draining: web::Data<Draining>,
) -> HttpResponse {
    let page = Page { parts, panel, dependencies, draining, sequence: 0, ticked: None };
    let stream = unfold(page, |mut page| async {
        let events = page.next().await?;
        Some((Ok::<_, Error>(Bytes::from(events)), page))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(stream)
}

impl Page {
    /// The next events; `None` when the process stops, which waits for its connections.
    async fn next(&mut self) -> Option<String> {
        let mut events = String::new();
        loop {
            match self.ticked {
                Some(_) => tokio::time::sleep(REQUESTS_EVERY).await,
                None => push(&mut events, "history", &self.parts.console.traffic().points()),
            }
            if self.draining.is_on() {
                return None;
            }
            let limit = if self.ticked.is_some() { BATCH } else { BACKLOG };
            let requests = self.parts.console.recent().requests_after(self.sequence, limit);
            if let Some(newest) = requests.last() {
                self.sequence = newest.sequence;
                push(&mut events, "requests", &requests);
            }
            if self.ticked.is_none_or(|ticked| ticked.elapsed() >= SAMPLE_EVERY) {
                self.ticked = Some(Instant::now());
                push(&mut events, "tick", &self.tick().await);
            }
            if !events.is_empty() {
                return Some(events);
            }
        }
    }

    async fn tick(&self) -> Value {
        let console = &self.parts.console;
        json!({
            "point": console.traffic().newest_point(),
            "window": console.traffic().window(WINDOW_SECONDS),
            "health": *self.dependencies.check().await,
            "faults": self.panel.faults.active(),
            "gateway": self.parts.simulator.as_ref().map(|simulator| simulator.current_behavior()),
            "demo_traffic": console.demo().map(|demo| demo.has_traffic()),
            "recent_bytes": console.recent().bytes(),
        })
    }
}

fn push(events: &mut String, name: &str, data: &impl Serialize) {
    // All data have texts as keys, so they can be written as JSON, which has no line breaks.
    if let Ok(data) = serde_json::to_string(data) {
        events.push_str(&format!("event: {name}\ndata: {data}\n\n"));
    }
}
