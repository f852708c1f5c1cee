//! A client of the demo's API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use glasshouse_domain::user::Role;
use glasshouse_telemetry::with_causes;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::data::{PASSWORD, email};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests as the demo's users, and keeps their tokens.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    api: Url,
    tokens: Mutex<HashMap<User, SecretString>>,
}

/// A user of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct User {
    /// The slug of the tenant.
    pub(super) tenant: &'static str,
    pub(super) role: Role,
}

/// A request and its response.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The command that sends the same request. `$TOKEN` stands for the access token.
    pub curl: String,
    /// The status of the response.
    pub status: u16,
    /// Its body; an access token is left out.
    pub body: Value,
    /// The id of its trace.
    pub trace_id: Option<String>,
}

/// A request of the demo got no usable response.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no response.
    #[error("no response: {}", with_causes(.0))]
    Failed(#[from] reqwest::Error),
    /// The response is not what the demo's data lead to.
    #[error("{0}")]
    Unexpected(&'static str),
}

impl Client {
    pub(super) fn new(api: &Url) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let api = api.join("/").context("the address of the API")?;
        Ok(Self { http, api, tokens: Mutex::default() })
    }

    /// Sends a request as this user, who is logged in first.
    pub(super) async fn send(
        &self,
        user: User,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Exchange, CallError> {
        let known = self.tokens().get(&user).cloned();
        let token = match known {
            Some(token) => token,
            None => self.log_in(user, PASSWORD).await?.1.ok_or(CHANGED)?,
        };
        let exchange = self.exchange(Some(&token), method, path, body).await?.0;
        if exchange.status == 401 {
            self.tokens().remove(&user);
        }
        Ok(exchange)
    }

    /// Logs a user in with this password. Returns the token too, if it is the right one.
    pub(super) async fn log_in(
        &self,
        user: User,
        password: &str,
    ) -> Result<(Exchange, Option<SecretString>), CallError> {
        let login =
            json!({ "tenant": user.tenant, "email": email(user.tenant, user.role), "password": password });
        let (exchange, token) = self.exchange(None, Method::POST, "/v1/auth/login", Some(login)).await?;
        if let Some(token) = &token {
            self.tokens().insert(user, token.clone());
        }
        Ok((exchange, token))
    }

    async fn exchange(
        &self,
        token: Option<&SecretString>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(Exchange, Option<SecretString>), CallError> {
        let url = self.api.join(path).map_err(|_| CallError::Unexpected("the path is not valid"))?;
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        // Only those that create something need a key.
        let key = (method == Method::POST && token.is_some()).then(Uuid::now_v7);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key.to_string());
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let curl = curl(&method, &url, token.is_some(), key.is_some(), body.as_ref());
        let response = request.send().await?;
        let traceparent = response.headers().get("traceparent").and_then(|value| value.to_str().ok());
        let trace_id = traceparent.and_then(|value| value.split('-').nth(1)).map(str::to_owned);
        let status = response.status().as_u16();
        let mut body: Value = serde_json::from_str(&response.text().await?).unwrap_or_default();
        let token = body.get_mut("access_token").map(Value::take);
        let token = token.as_ref().and_then(Value::as_str).map(SecretString::from);
        Ok((
            Exchange { method: method.to_string(), path: path.to_owned(), curl, status, body, trace_id },
            token,
        ))
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<User, SecretString>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The data of the demo are no longer those that it began with.
pub(super) const CHANGED: CallError = CallError::Unexpected(
    "the demo's users or products were changed: remove its data directory, and start it again",
);

/// A command for a shell.
fn curl(method: &Method, url: &Url, with_token: bool, with_key: bool, body: Option<&Value>) -> String {
    let is_login = url.path() == "/v1/auth/login";
    let mut command = format!("curl -s '{url}'");
    if *method != Method::GET && body.is_none() {
        command.push_str(&format!(" -X {method}"));
    }
    if with_token {
        command.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if with_key {
        command.push_str(" \\\n  -H \"Idempotency-Key: $(date +%s)-$RANDOM\"");
    }
    if let Some(body) = body {
        command.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"));
    }
    if is_login { format!("TOKEN=$({command} | grep -o 'eyJ[^\"]*')") } else { command }
}
