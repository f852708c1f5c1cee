//! A client of server-sent events.

use std::time::Duration;

use serde_json::Value;

/// A connected stream of server-sent events.
pub(crate) struct Events {
    response: reqwest::Response,
    received: String,
}

impl Events {
    pub(crate) async fn connect(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, received: String::new() }
    }

    /// The next event: its name and its data. `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let (name, data) = event.split_once('\n').unwrap();
                let event = (
                    name.strip_prefix("event: ").unwrap().to_owned(),
                    serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
                );
                self.received = rest.to_owned();
                return Some(event);
            }
            let received = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let received = received.expect("an event within half a minute").unwrap()?;
            self.received.push_str(std::str::from_utf8(&received).unwrap());
        }
    }

    /// The data of the next event of this name that satisfies the predicate.
    pub(crate) async fn find(&mut self, name: &str, predicate: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (event, data) = self.next().await.expect("the stream goes on");
            if event == name && predicate(&data) {
                return data;
            }
        }
    }
}
