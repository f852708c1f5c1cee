//! A worker dies between the delivery of a message and the record of it: the message is sent again, and its receiver, the folder
//! of messages to users, has it once, under its id.

use std::path::Path;

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::command_line::{common, with};
use crate::support::{Backend, NO_WORKER, PASSWORD, Process, TestApp, connect, eventually};

/// The names and texts of the files in a folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files
        .map(|file| (file.file_name().into_string().unwrap(), std::fs::read_to_string(file.path()).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_sent_twice_is_received_once() {
    let app = TestApp::start_with(Backend::Servers, NO_WORKER).await;
    let owner = app.new_tenant().await;
    let email = format!("owner@{}.example", owner.tenant());
    let request = json!({ "tenant": owner.tenant(), "email": email });
    app.anonymous().post("/v1/auth/password-reset/request", request).await.expect(202);

    // The record of a delivery waits for a lock.
    let operator = connect(&app.database.superuser_url()).await;
    for statement in [
        "CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql \
         AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END $$",
        "CREATE TRIGGER slow_record BEFORE UPDATE OF delivered_at ON outbox_messages FOR EACH ROW \
         EXECUTE FUNCTION wait_for_lock()",
        "SELECT pg_advisory_lock(1)",
    ] {
        operator.execute_unprepared(statement).await.unwrap();
    }
    let mail = tempfile::tempdir().unwrap();
    let (url, gateway) = (app.database.service_url(), app.gateway_url());
    let settings = with(
        &common(),
        [
            ("DATABASE_URL", &*url),
            ("GLASSHOUSE_PAYMENT_GATEWAY_URL", &*gateway),
            ("GLASSHOUSE_MAIL_DIR", mail.path().to_str().unwrap()),
            ("GLASSHOUSE_OUTBOX_LEASE_SECONDS", "1"),
            ("DATABASE_STATEMENT_TIMEOUT_MS", "600000"),
        ],
    );
    let mut worker = Process::start(&["worker"], &settings);
    let sent = worker.logs("notification_sent").await["message_id"].clone();
    let first = files(mail.path());
    worker.signal("KILL");
    worker.ends().await;
    operator.execute_unprepared("SELECT pg_advisory_unlock(1)").await.unwrap();

    let mut other = Process::start(&["worker"], &settings);
    assert_eq!(other.logs("outbox_delivered").await["message_id"], sent);
    assert_eq!(other.logs("notification_sent").await["message_id"], sent, "it is sent again");
    let all = files(mail.path());
    let names: Vec<_> = all.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [format!("{}.eml", sent.as_str().unwrap())]);
    assert!(
        first.len() == 1 && first[0].0 == names[0] && first != all,
        "each delivery has a token of its own"
    );

    // The token of the message that is there is the one that counts.
    let token = all[0].1.trim_end().rsplit("\r\n").next().unwrap();
    let confirm = json!({ "tenant": owner.tenant(), "token": token, "new_password": format!("{PASSWORD}!") });
    app.anonymous().post("/v1/auth/password-reset/confirm", confirm).await.expect(204);
    let undelivered = "SELECT count(*) AS n FROM outbox_messages WHERE delivered_at IS NULL";
    eventually("nothing is left to deliver", async || {
        (app.database.number(undelivered).await == 0).then_some(())
    })
    .await;
    operator.close().await.unwrap();
}
