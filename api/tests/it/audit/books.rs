//! Books for audits: a database after real traffic, what was acknowledged to its clients, and the ledger of the gateway.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Backend, Client, Process, SHORT_TIMEOUTS, Settings, TEST_SETTINGS, TestApp, TestDatabase, eventually,
    key, settings,
};

/// A shop with traffic of every kind. It keeps what was acknowledged to its clients.
pub(super) struct Shop {
    pub(super) app: TestApp,
    acknowledged: Vec<String>,
}

/// A stopped database, with the files that an audit compares it with.
pub(super) struct Books {
    pub(super) database: TestDatabase,
    folder: TempDir,
}

/// The report of an audit and its exit code.
pub(super) struct Audited {
    pub(super) code: Option<i32>,
    pub(super) report: Value,
    pub(super) stderr: String,
}

impl Shop {
    /// Opens a shop, and sells, declines, cancels, refunds, adds and removes stock, for two tenants.
    pub(super) async fn open(backend: Backend) -> Self {
        let app = TestApp::start_with(backend, SHORT_TIMEOUTS).await;
        let mut shop = Self { app, acknowledged: Vec::new() };
        for _ in 0..2 {
            let owner = shop.app.new_tenant().await;
            shop.trade(&owner).await;
        }
        shop.settles().await;
        shop
    }

    async fn trade(&mut self, owner: &Client) {
        let (moved, unmoved) = (owner.add_product(20).await, owner.add_product_at(300, "EUR").await);
        for delta in [7, -3] {
            let key = key();
            owner.move_stock(&moved, delta, &key).await.expect(200);
            let movement = json!({ "idempotency_key": key, "product_id": moved, "delta": delta });
            self.acknowledge(owner, "stock_movement", &movement);
        }
        self.order(owner, &moved, 2, 201).await;
        self.order(owner, &unmoved, 5, 201).await;

        let refunded = self.order(owner, &moved, 1, 201).await;
        let payment = owner.payment(&refunded).await;
        let response = owner.refund(&payment["id"], &key()).await.expect(200);
        self.acknowledge(owner, "payment", &response);

        self.app.gateway_behaves(json!({ "decline_rate": 1.0 })).await;
        self.order(owner, &moved, 4, 201).await;

        self.app.gateway_behaves(json!({ "error_rate": 1.0 })).await;
        let cancelled = self.order(owner, &moved, 3, 202).await;
        let response = owner.cancel(&cancelled, &key()).await.expect(200);
        self.acknowledge(owner, "order", &response);
        self.app.gateway_recovers().await;

        // A message that is about no order.
        let reset = json!({ "tenant": owner.tenant(), "email": "nobody@example.com" });
        owner.post("/v1/auth/password-reset/request", reset).await.expect(202);
    }

    /// Places an order, which is acknowledged. Returns its id.
    pub(super) async fn order(&mut self, owner: &Client, product: &str, quantity: i64, status: u16) -> Value {
        let response = owner.order(product, quantity).await.expect(status);
        self.acknowledge(owner, "order", &response);
        response["id"].clone()
    }

    pub(super) fn acknowledge(&mut self, client: &Client, what: &str, response: &Value) {
        self.acknowledged.push(json!({ "tenant": client.tenant(), what: response }).to_string());
    }

    /// Waits until every payment is settled and every message delivered.
    async fn settles(&self) {
        let open = "SELECT (SELECT count(*) FROM payments WHERE state = 'pending' \
                            OR (state = 'succeeded' AND refund_requested_at IS NOT NULL)) \
                         + (SELECT count(*) FROM outbox_messages WHERE delivered_at IS NULL) AS n";
        eventually("everything is settled", async || {
            (self.app.database.number(open).await == 0).then_some(())
        })
        .await;
    }

    /// Writes the acknowledgements to a file.
    pub(super) fn acknowledgements(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path().join("acknowledged.jsonl");
        fs::write(&path, self.acknowledged()).unwrap();
        path
    }

    /// The acknowledgements, a line each.
    pub(super) fn acknowledged(&self) -> String {
        lines(&self.acknowledged)
    }

    /// Stops the shop.
    pub(super) async fn close(self) -> Books {
        let folder = tempfile::tempdir().unwrap();
        self.acknowledgements(&folder);
        let page = self.app.gateway().get("/v1/ledger?limit=1000").await.expect(200);
        let charges = page["charges"].as_array().unwrap().iter().map(Value::to_string);
        fs::write(folder.path().join("ledger.jsonl"), lines(&charges.collect::<Vec<_>>())).unwrap();
        Books { database: self.app.stop().await, folder }
    }
}

impl Books {
    /// The same books, to damage them.
    pub(super) async fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["acknowledged.jsonl", "ledger.jsonl"] {
            fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        Self { database: self.database.copy().await, folder }
    }

    /// Audits the books, with the ledger and the acknowledgements.
    pub(super) async fn audit(&self) -> Audited {
        let (ledger, acknowledged) = (self.file("ledger.jsonl"), self.file("acknowledged.jsonl"));
        audit(&self.database, &["--ledger", &ledger, "--acknowledged", &acknowledged]).await
    }

    /// Changes the lines of one of the files.
    pub(super) fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let path = self.folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        let mut values: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        change(&mut values);
        fs::write(&path, lines(&values.iter().map(Value::to_string).collect::<Vec<_>>())).unwrap();
    }

    /// The path of a file.
    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Audited {
    /// The names of the checks with this result.
    pub(super) fn checks(&self, result: &str) -> BTreeSet<String> {
        let checks = self.report["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["result"] == result)
            .map(|check| check["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A check of the report.
    pub(super) fn check(&self, name: &str) -> &Value {
        let mut checks = self.report["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}"))
    }

    /// Asserts that there are no findings.
    #[track_caller]
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.code, Some(0), "{:#} {}", self.report, self.stderr);
        assert_eq!((&self.report["findings"], self.checks("findings").len()), (&json!(0), 0));
    }
}

/// The settings of an audit: as the owner of the schema, with the address of the service.
pub(super) fn audit_settings(database: &TestDatabase) -> Settings {
    let mut settings = settings(TEST_SETTINGS);
    settings.insert("DATABASE_MIGRATION_URL".to_owned(), database.owner_url());
    settings.insert("DATABASE_URL".to_owned(), database.service_url());
    settings
}

/// Audits a database.
pub(super) async fn audit(database: &TestDatabase, arguments: &[&str]) -> Audited {
    audit_with(&audit_settings(database), arguments).await
}

/// Audits with these settings.
pub(super) async fn audit_with(settings: &Settings, arguments: &[&str]) -> Audited {
    let arguments = [&["audit", "--format", "json"], arguments].concat();
    let ended = Process::run(&arguments, settings).await;
    let report = serde_json::from_str(&ended.stdout).unwrap_or(Value::Null);
    Audited { code: ended.code, report, stderr: ended.stderr }
}

fn lines(values: &[String]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}
