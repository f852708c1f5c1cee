//! The process that is attacked.

#[path = "../support/demo.rs"]
mod demo;

use std::ops::Deref;
use std::sync::OnceLock;

use self::demo::Demo;

/// A running demo, of which the memory is measured.
pub(crate) struct Service {
    demo: Demo,
    /// A token of a user of the tenant `acme`.
    pub(crate) token: String,
    kept_token: OnceLock<String>,
}

impl Deref for Service {
    type Target = Demo;

    fn deref(&self) -> &Demo {
        &self.demo
    }
}

impl Service {
    /// Starts it with further settings, and with a limit of open descriptors, if there is one.
    pub(crate) async fn start(descriptors: Option<u32>, settings: &[(&str, &str)]) -> Self {
        let demo = Demo::start(descriptors, settings);
        let token = demo.log_in("acme", "member@acme.example", "demo-password").await;
        Self { demo, token, kept_token: OnceLock::new() }
    }

    /// Keeps a token that the attack uses.
    pub(crate) fn keep_token(&self, token: String) {
        self.kept_token.set(token).unwrap();
    }

    /// The token that was kept.
    pub(crate) fn kept_token(&self) -> &str {
        self.kept_token.get().unwrap()
    }
}
