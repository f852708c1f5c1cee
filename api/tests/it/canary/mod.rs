//! Canaries: marked secrets and email addresses are sent wherever a request can hold one, and must appear in no
//! signal.

mod headers;

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use self::headers::HEADERS;
use crate::command_line::{Stack, common, with};
use crate::support::{
    Client, FakeSentry, Received, Response, connect, eventually, exchange, new_slug, new_trace, traceparent,
};

/// Any status from 400 to 499.
const ANY_4XX: u16 = 4;

/// Sends requests with marks everywhere, and keeps the error responses.
struct Canary {
    mark: String,
    errors: Vec<String>,
}

impl Canary {
    fn secret(&self, what: &str) -> String {
        format!("{}-{what}", self.mark)
    }

    fn email(&self, who: &str) -> String {
        format!("{who}.{}@mail.example", self.mark)
    }

    /// Sends a request with marks in every header that may hold a secret or an email address.
    async fn send(&mut self, request: RequestBuilder, status: u16) -> Response {
        let trace = new_trace();
        let request = request
            .header("traceparent", traceparent(&trace))
            .header("tracestate", format!("vendor={}", self.secret("state")))
            .header("baggage", format!("token={},user=ada%40{}.example", self.secret("baggage"), self.mark))
            .header("cookie", format!("session={}", self.secret("cookie")))
            .header("x-api-key", self.secret("key"))
            .header("referer", format!("https://shop.example/?email={}", self.email("referer")))
            .header("user-agent", format!("{} ({})", self.secret("agent"), self.email("agent")))
            .header("x-request-id", self.email("request"));
        let response = Response::of(request).await;
        let found = response.status.as_u16();
        assert!(
            found == status || (status == ANY_4XX && response.status.is_client_error()),
            "{found}: {}",
            response.body
        );
        if found >= 400 {
            self.errors.push(response.body.to_string());
        }
        response
    }

    /// Sends requests with marks in one position each, in forms that libraries parse and reject: every header, twice, in the
    /// request line, and in the name of a header.
    async fn sends_marks_in_every_position(&self, address: &str) {
        let (secret, email) = (self.secret("header"), self.email("header"));
        let parent = format!("00-{}-00f067aa0ba902b7-01", new_trace());
        let values = [
            email.clone(),
            format!("token={secret},{secret};{secret}@,=,%ff{secret}"),
            format!("\"{secret}, {email}; q={secret}"),
            format!("for={secret};proto={secret};host={secret};by={email}"),
            format!("{parent}-{secret}~"),
            format!("{secret}:{secret}:{secret}:{secret}"),
            format!("é{secret}"),
        ];
        let routes = ["GET /health/live", "GET /v1/users/me", "POST /v1/auth/login", "GET /nowhere"];
        for (name, (value, route)) in HEADERS
            .iter()
            .flat_map(|name| values.iter().zip(routes.iter().cycle()).map(move |pair| (name, pair)))
        {
            // The id of a request is the client's to choose; what is no id must not be in any signal.
            let lines = [("Host", "x"), ("Content-Length", "0"), (name, value)];
            exchange(address, &format!("{route} HTTP/1.1"), &lines, "").await;
            if value.contains('@') {
                let twice = [("Host", "x"), ("Content-Length", "0"), (name, value), (name, &secret)];
                exchange(address, &format!("{route} HTTP/1.1"), &twice, "").await;
            }
        }
        for request_line in [
            format!("{secret} / HTTP/1.1"),
            format!("{secret} /v1/orders HTTP/1.1"),
            format!("{secret} /v1/orders HTTP/1.1{secret}"),
            format!("GET {secret} HTTP/1.1"),
            format!("GET {secret}://{secret}/health/live HTTP/1.1"),
            format!("GET http://{secret}@{secret}:1/health/live HTTP/1.1"),
            format!("GET /health/live?{secret}={secret}#{secret} HTTP/1.1"),
            format!("GET /docs/{secret}/{email} HTTP/1.1"),
            format!("GET /v1/orders/%ff{secret} HTTP/1.1"),
            format!("GET /health/live HTTP/{secret}"),
            format!("CONNECT {secret}:443 HTTP/1.1"),
            format!("OPTIONS * HTTP/1.1\r\n{secret}: {secret}"),
            format!("GET /health/live HTTP/1.1\r\n {secret}"),
            format!("GET /health/live HTTP/1.1\r\nContent-Length: {secret}"),
            format!("POST /v1/auth/login HTTP/1.1\r\nTransfer-Encoding: {secret}"),
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{secret}"),
        ] {
            for host in ["x", &*secret] {
                exchange(address, &request_line, &[("Host", host)], "").await;
            }
        }
    }

    async fn post(&mut self, client: &Client, path: &str, body: &Value, status: u16) -> Response {
        self.post_once(client, path, &self.secret("idempotency"), body, status).await
    }

    async fn post_once(
        &mut self,
        client: &Client,
        path: &str,
        key: &str,
        body: &Value,
        status: u16,
    ) -> Response {
        let request = client.request(Method::POST, path).header("Idempotency-Key", key).json(body);
        self.send(request, status).await
    }

    async fn get(&mut self, client: &Client, path: &str, status: u16) {
        self.send(client.request(Method::GET, path), status).await;
    }

    /// Signs up and logs in, with valid and invalid credentials. Returns the owner.
    async fn signs_up_and_logs_in(&mut self, anonymous: &Client) -> Client {
        let slug = new_slug();
        let (email, password) = (self.email("owner"), self.secret("password"));
        let tenant =
            json!({ "slug": slug, "name": "Canary", "owner": { "email": email, "password": password } });
        self.post(anonymous, "/v1/tenants", &tenant, 201).await;
        self.post(anonymous, "/v1/tenants", &tenant, ANY_4XX).await;
        for (field, wrong) in [
            ("slug", json!(self.email("slug"))),
            ("plan", json!(self.secret("plan"))),
            ("source", json!(self.email("source"))),
            ("name", json!({ "secret": self.secret("name") })),
            ("owner", json!(self.secret("owner"))),
            ("owner", json!({ "email": self.secret("no-email"), "password": self.mark[..9] })),
            ("owner", json!({ "email": [self.email("list")], "password": { "is": self.secret("object") } })),
        ] {
            let mut body = tenant.clone();
            body[field] = wrong;
            self.post(anonymous, "/v1/tenants", &body, ANY_4XX).await;
        }
        let login = json!({ "tenant": slug, "email": email, "password": password });
        let token = self.post(anonymous, "/v1/auth/login", &login, 200).await["access_token"].clone();
        for (field, wrong) in [("password", self.secret("wrong")), ("email", self.email("unknown"))] {
            let mut body = login.clone();
            body[field] = json!(wrong);
            self.post(anonymous, "/v1/auth/login", &body, ANY_4XX).await;
        }
        let broken = login.to_string().replace('}', "");
        let request =
            anonymous.request(Method::POST, "/v1/auth/login").header("content-type", "application/json");
        self.send(request.body(broken), ANY_4XX).await;
        for wrong in [format!("Bearer {}", self.secret("token")), format!("Basic {}", self.secret("basic"))] {
            let request = anonymous.request(Method::GET, "/v1/users/me").header("authorization", wrong);
            self.send(request, ANY_4XX).await;
        }
        anonymous.clone().with_token(token.as_str().unwrap()).in_tenant(&slug)
    }

    /// Adds a user, and sends requests whose paths and queries hold secrets.
    async fn sends_secrets_in_urls(&mut self, owner: &Client) {
        let user =
            json!({ "email": self.email("user"), "password": self.secret("password"), "role": "member" });
        self.post(owner, "/v1/users", &user, 201).await;
        self.post(owner, "/v1/users", &user, ANY_4XX).await;
        let with_role = json!({ "email": self.email("other"), "password": self.secret("x"), "role": self.secret("role") });
        self.post(owner, "/v1/users", &with_role, ANY_4XX).await;
        let (secret, email) = (self.secret("path"), self.email("path"));
        for path in ["/v1/users/", "/v1/orders/"] {
            for last in [&secret, &email, &email.replace('@', "%40")] {
                self.get(owner, &format!("{path}{last}"), ANY_4XX).await;
            }
        }
        for path in
            [format!("/v1/{secret}"), format!("/{email}/x"), format!("/v1/orders/{secret}/payments/{email}")]
        {
            self.get(owner, &path, ANY_4XX).await;
        }
        let request = owner.request(Method::PUT, &format!("/v1/orders/{secret}"));
        self.send(request, ANY_4XX).await;
        for query in ["cursor", "limit", "status"] {
            self.get(owner, &format!("/v1/orders?{query}={secret}"), ANY_4XX).await;
        }
        self.get(owner, &format!("/v1/orders?token={secret}&email={email}"), 200).await;
        self.get(owner, &format!("/v1/reports/revenue?from={secret}&to={email}"), ANY_4XX).await;
    }

    /// Resets the password of the user with the token in the mail folder. Returns the token.
    async fn resets_the_password(&mut self, anonymous: &Client, tenant: &str, mail: &Path) -> String {
        let request = |email: String| json!({ "tenant": tenant, "email": email });
        let path = "/v1/auth/password-reset/request";
        self.post(anonymous, path, &request(self.email("nobody")), 202).await;
        self.post(anonymous, path, &request(self.email("user")), 202).await;
        let message = eventually("the token is sent", async || {
            let file = std::fs::read_dir(mail).ok()?.find_map(|file| {
                Some(file.ok()?.path()).filter(|path| path.extension().is_some_and(|eml| eml == "eml"))
            })?;
            std::fs::read_to_string(file).ok()
        })
        .await;
        let token = message.trim_end().rsplit("\r\n").next().unwrap().to_owned();
        let confirm =
            |token: &str, new: String| json!({ "tenant": tenant, "token": token, "new_password": new });
        let path = "/v1/auth/password-reset/confirm";
        self.post(anonymous, path, &confirm(&self.secret("token"), self.secret("reset")), 403).await;
        self.post(anonymous, path, &confirm(&token, self.mark[..9].to_owned()), 422).await;
        self.post(anonymous, path, &confirm(&token, self.secret("reset")), 204).await;
        self.post(anonymous, path, &confirm(&token, self.secret("reset")), 403).await;
        let mut with_a_list = confirm(&token, self.secret("reset"));
        with_a_list["token"] = json!([token]);
        self.post(anonymous, path, &with_a_list, ANY_4XX).await;
        token
    }

    /// Places orders that are paid, declined and left open, and one with a used idempotency key.
    async fn places_orders(&mut self, owner: &Client, gateway: &Client, product: &str) {
        let order = |quantity: i64| json!({ "items": [{ "product_id": product, "quantity": quantity }] });
        let keys = ["paid", "declined", "failed", "lost"].map(|key| self.secret(key));
        self.post_once(owner, "/v1/orders", &keys[0], &order(1), 201).await;
        self.post_once(owner, "/v1/orders", &keys[0], &order(2), 422).await;
        gateway.send(Method::PUT, "/control", Some(json!({ "decline_rate": 1.0 }))).await.expect(200);
        self.post_once(owner, "/v1/orders", &keys[1], &order(1), 201).await;
        gateway.send(Method::PUT, "/control", Some(json!({ "error_rate": 1.0 }))).await.expect(200);
        self.post_once(owner, "/v1/orders", &keys[2], &order(1), 202).await;
        gateway.send(Method::PUT, "/control", Some(json!({}))).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_no_email_address_is_in_any_signal() {
    let (received, endpoint) = Received::start().await;
    let sentry = FakeSentry::start();
    let dsn = sentry.dsn();
    let mail = tempfile::tempdir().unwrap();
    let settings = [
        ("RUST_LOG", "trace"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("SENTRY_DSN", &*dsn),
        ("SENTRY_TRACES_SAMPLE_RATE", "1"),
        ("GLASSHOUSE_PAYMENT_GATEWAY_ATTEMPTS", "1"),
        ("GLASSHOUSE_MAIL_DIR", mail.path().to_str().unwrap()),
    ];
    let settings = with(&common(), settings);
    let mut stack = Stack::start_each(settings.clone(), settings).await;
    let mark = format!("canary{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let mut canary = Canary { mark, errors: Vec::new() };
    let anonymous = stack.serve.client("http_addr").await;
    let gateway = stack.gateway.client("gateway_addr").await;
    let owner = canary.signs_up_and_logs_in(&anonymous).await;
    canary.sends_secrets_in_urls(&owner).await;
    canary.sends_marks_in_every_position(&stack.serve.address("http_addr").await).await;
    canary.sends_marks_in_every_position(&stack.gateway.address("gateway_addr").await).await;
    let product = owner.add_product(1000).await;
    canary.places_orders(&owner, &gateway, &product).await;
    stack.worker.logs("outbox_delivered").await;
    let reset_token = canary.resets_the_password(&anonymous, owner.tenant(), mail.path()).await;

    let superuser = connect(&stack.database.superuser_url()).await;
    superuser.execute_unprepared("ALTER TABLE outbox_messages RENAME TO gone").await.unwrap();
    let items = json!({ "items": [{ "product_id": product, "quantity": 1 }] });
    let key = canary.secret("broken");
    canary.post_once(&owner, "/v1/orders", &key, &items, 500).await;
    superuser.execute_unprepared("ALTER TABLE users RENAME COLUMN email TO gone").await.unwrap();
    let login =
        json!({ "tenant": owner.tenant(), "email": canary.email("owner"), "password": canary.secret("p") });
    canary.post(&anonymous, "/v1/auth/login", &login, 500).await;
    let tenant = json!({ "slug": new_slug(), "name": "Canary", "owner": { "email": canary.email("late"), "password": canary.secret("late") } });
    let last = canary.post(&anonymous, "/v1/tenants", &tenant, 500).await;
    sentry.event_of(last.header("x-request-id")).await;

    let mut signals: Vec<(&str, String)> = canary.errors.iter().map(|body| ("body", body.clone())).collect();
    for process in [&mut stack.serve, &mut stack.worker, &mut stack.gateway] {
        let metrics = process.client("management_addr").await.get("/metrics").await.expect(200);
        signals.extend(metrics.as_str().unwrap().lines().map(|line| ("metric", line.to_owned())));
    }
    for process in [stack.serve, stack.worker, stack.gateway] {
        process.signal("TERM");
        let ended = process.ends().await;
        signals.extend(ended.stdout.lines().map(|line| ("stdout", line.to_owned())));
        signals.extend(ended.stderr.lines().map(|line| ("stderr", line.to_owned())));
    }
    signals.extend(
        received
            .all()
            .into_iter()
            .map(|text| if text.starts_with("span") { ("span", text) } else { ("record", text) }),
    );
    signals.extend(sentry.received().into_iter().map(|envelope| ("report", envelope)));

    // Finding no mark proves something only if every signal has data.
    for (place, expected) in [
        ("body", "invalid_fields"),
        ("metric", "http_requests_total{"),
        ("stdout", "\"order_placed\""),
        ("span", "POST /v1/orders"),
        ("record", "user_login_failed"),
        ("stdout", "\"password_reset\""),
        ("report", "unhandled_exception"),
        ("report", "\"type\":\"transaction\""),
    ] {
        assert!(
            signals.iter().any(|(signal, text)| *signal == place && text.contains(expected)),
            "{place}: {expected}"
        );
    }
    let signature = owner.token().rsplit('.').next().unwrap();
    let leaks: Vec<_> = signals
        .iter()
        .filter_map(|(place, text)| {
            let at = [&*canary.mark, signature, &reset_token]
                .iter()
                .find_map(|mark| text.to_lowercase().find(&mark.to_lowercase()))?;
            let start = text.floor_char_boundary(at.saturating_sub(300));
            let end = text.ceil_char_boundary((at + 100).min(text.len()));
            Some(format!("{place}: …{}…", &text[start..end]))
        })
        .collect();
    assert!(
        leaks.is_empty(),
        "{} leaks, such as\n{}",
        leaks.len(),
        leaks[..leaks.len().min(20)].join("\n\n")
    );
}
