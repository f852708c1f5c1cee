//! Users of a tenant: who may change whom, and concurrent changes.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Backend, Client, PASSWORD, Response, TestApp, on_both};

on_both!(
    an_admin_cannot_change_owners,
    an_owner_promotes_and_demotes_owners,
    the_last_owner_cannot_be_removed,
    two_owners_who_demote_each_other_leave_one,
    an_email_address_is_unique,
    a_change_needs_the_version_that_was_read,
    a_change_may_name_several_versions_or_any,
    absent_fields_of_a_change_stay,
    no_response_contains_a_password,
);

fn new_user(role: &str) -> Value {
    json!({ "email": format!("{}@example.com", Uuid::now_v7()), "password": PASSWORD, "role": role })
}

/// The path and the `ETag` of the user that a client is logged in as.
async fn whoami(client: &Client) -> (String, String) {
    let me = client.get("/v1/users/me").await;
    (format!("/v1/users/{}", me["id"].as_str().unwrap()), me.header("etag").to_owned())
}

async fn an_admin_cannot_change_owners(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let (admin, member) = (app.add_user(&owner, "admin").await, app.add_user(&owner, "member").await);
    let ((the_owner, owner_version), (the_member, member_version)) =
        (whoami(&owner).await, whoami(&member).await);
    for rejected in [
        admin.post("/v1/users", new_user("owner")).await,
        admin.patch(&the_member, &member_version, json!({ "role": "owner" })).await,
        admin.patch(&the_owner, &owner_version, json!({ "role": "member" })).await,
        admin.patch(&the_owner, &owner_version, json!({ "active": false })).await,
        admin.patch(&the_owner, &owner_version, json!({})).await,
        admin.delete(&the_owner, &owner_version).await,
    ] {
        rejected.expect_problem(403, "role_too_low");
    }
    assert_eq!((whoami(&owner).await.1, whoami(&member).await.1), (owner_version, member_version.clone()));
    admin.post("/v1/users", new_user("admin")).await.expect(201);
    admin.patch(&the_member, &member_version, json!({ "role": "admin" })).await.expect(200);
}

async fn an_owner_promotes_and_demotes_owners(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let second = app.add_user(&owner, "owner").await;
    let (path, version) = whoami(&owner).await;
    second.patch(&path, &version, json!({ "role": "member" })).await.expect(200);
    owner.get("/v1/users").await.expect_problem(403, "admin_only");
}

async fn the_last_owner_cannot_be_removed(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    // A deactivated owner does not count.
    let (other, version) = whoami(&app.add_user(&owner, "owner").await).await;
    owner.delete(&other, &version).await.expect(204);
    let (path, version) = whoami(&owner).await;
    for rejected in [
        owner.patch(&path, &version, json!({ "role": "admin" })).await,
        owner.patch(&path, &version, json!({ "active": false })).await,
        owner.delete(&path, &version).await,
    ] {
        rejected.expect_problem(409, "last_owner");
    }
    owner.patch(&path, &version, json!({ "role": "owner", "active": true })).await.expect(200);
}

async fn two_owners_who_demote_each_other_leave_one(backend: Backend) {
    let app = TestApp::start(backend).await;
    for _ in 0..5 {
        let one = app.new_tenant().await;
        let other = app.add_user(&one, "owner").await;
        let ((one_path, one_version), (other_path, other_version)) =
            (whoami(&one).await, whoami(&other).await);
        let demote = json!({ "role": "member" });
        let (first, second) = tokio::join!(
            one.patch(&other_path, &other_version, demote.clone()),
            other.patch(&one_path, &one_version, demote.clone()),
        );
        // The second request is from the last owner, or from a user who is no owner any more.
        let outcomes = [first.status.as_u16(), second.status.as_u16()];
        assert!(
            outcomes.contains(&200) && (outcomes.contains(&409) || outcomes.contains(&403)),
            "{outcomes:?}"
        );
        let owners = format!(
            "SELECT count(*) AS n FROM users JOIN tenants ON tenants.id = tenant_id
             WHERE slug = '{}' AND role = 'owner' AND active",
            one.tenant()
        );
        assert_eq!(app.database.number(&owners).await, 1);
    }
}

async fn an_email_address_is_unique(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = new_user("member");
    let same = std::iter::repeat_with(|| owner.post("/v1/users", user.clone())).take(5);
    let responses = futures_util::future::join_all(same).await;
    let (added, rejected): (Vec<Response>, _) =
        responses.into_iter().partition(|response| response.status == 201);
    assert_eq!(added.len(), 1);
    for response in rejected {
        response.expect_problem(409, "email_taken");
    }
    assert_eq!(owner.get("/v1/users").await["items"].as_array().unwrap().len(), 2);
}

async fn a_change_needs_the_version_that_was_read(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let added = owner.post("/v1/users", new_user("member")).await;
    let path = format!("/v1/users/{}", added["id"].as_str().unwrap());
    let first = added.header("etag").to_owned();
    assert_eq!(owner.get(&path).await.header("etag"), first);

    let change = json!({ "role": "admin" });
    let patch = owner.send(reqwest::Method::PATCH, &path, Some(change.clone())).await;
    patch.expect_problem(428, "if_match_required");
    owner.send(reqwest::Method::DELETE, &path, None).await.expect_problem(428, "if_match_required");
    for etag in ["1", "\"1", "1\"", "w/\"1\"", "W/1", "\"1\" \"2\"", "*, \"1\"", "\"1\", x", "\"a b\"", "'1'"]
    {
        owner.patch(&path, etag, change.clone()).await.expect_problem(400, "if_match_invalid");
        owner.delete(&path, etag).await.expect_problem(400, "if_match_invalid");
    }
    for etag in [
        "\"0\"",
        "\"2\"",
        "\"-1\"",
        "\"01\"",
        "\"+1\"",
        "\"one\"",
        "\"\"",
        "\"99999999999\"",
        "W/\"1\"",
        "W/\"1\", \"2\"",
        "\"2\", \"3\"",
        "\"a,1\"",
        "",
        ",",
    ] {
        owner.patch(&path, etag, change.clone()).await.expect_problem(412, "changed_meanwhile");
        owner.delete(&path, etag).await.expect_problem(412, "changed_meanwhile");
    }

    let changed = owner.patch(&path, &first, change.clone()).await;
    let second = changed.header("etag").to_owned();
    changed.expect(200);
    owner.patch(&path, &first, change.clone()).await.expect_problem(412, "changed_meanwhile");
    owner.delete(&path, &second).await.expect(204);
    let etags = [first, second, owner.get(&path).await.header("etag").to_owned()];
    assert!(etags[0] != etags[1] && etags[1] != etags[2] && etags[0] != etags[2], "{etags:?}");
}

async fn a_change_may_name_several_versions_or_any(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = owner.post("/v1/users", new_user("member")).await.expect(201);
    let user = format!("/v1/users/{}", user["id"].as_str().unwrap());
    let product = format!("/v1/products/{}", owner.add_product(1).await);
    for (path, change) in [(&user, json!({ "role": "admin" })), (&product, json!({ "name": "Cup" }))] {
        let missing = format!("{}/{}", path.rsplit_once('/').unwrap().0, Uuid::now_v7());
        for (version, list) in
            ["*", "\"1\", \"2\"", "\"a,b\",,\"9\" , \"3\"", "W/\"4\", \"4\"", "\"gr\u{f6}\u{df}e\", \"5\""]
                .into_iter()
                .enumerate()
        {
            let changed = owner.patch(path, list, change.clone()).await;
            assert_eq!(changed.header("etag"), format!("\"{}\"", version + 2), "{list}: {changed:?}");
            owner.patch(&missing, list, change.clone()).await.expect_problem(404, "not_found");
        }
        owner.patch(path, "\"1\", \"5\"", change.clone()).await.expect_problem(412, "changed_meanwhile");
        // Lines of the same header are one list.
        let lines = owner
            .request(reqwest::Method::PATCH, path)
            .header("If-Match", "\"1\"")
            .header("If-Match", "\"6\"");
        Response::of(lines.json(&change)).await.expect(200);
        let both =
            owner.request(reqwest::Method::DELETE, path).header("If-Match", "*").header("If-Match", "\"7\"");
        Response::of(both).await.expect_problem(400, "if_match_invalid");
        owner.delete(path, "\"7\", \"8\"").await.expect(204);
    }
}

async fn absent_fields_of_a_change_stay(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let user = app.add_user(&owner, "admin").await;
    let (path, version) = whoami(&user).await;
    let changed = owner.patch(&path, &version, json!({ "active": false })).await;
    let version = changed.header("etag").to_owned();
    assert_eq!((&changed["role"], &changed["active"]), (&json!("admin"), &json!(false)));
    let changed = owner.patch(&path, &version, json!({ "role": "member" })).await.expect(200);
    assert_eq!((&changed["role"], &changed["active"]), (&json!("member"), &json!(false)));
}

async fn no_response_contains_a_password(backend: Backend) {
    let app = TestApp::start(backend).await;
    let owner = app.new_tenant().await;
    let added = owner.post("/v1/users", new_user("member")).await.expect(201);
    let list = owner.get("/v1/users").await.expect(200);
    for body in [added.to_string(), list.to_string()] {
        assert!(!body.contains("password") && !body.contains("argon2") && !body.contains(PASSWORD), "{body}");
    }
    let hashes = app.database.query("SELECT password_hash AS n FROM users").await;
    assert_eq!(hashes.len(), 2);
    for hash in hashes {
        let hash: String = hash.try_get("", "n").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
}
