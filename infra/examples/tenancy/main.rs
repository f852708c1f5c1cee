//! Tenancy and outbox of Glasshouse in a service of its own: `cargo run --example tenancy`. The files that `db/mod.rs` names by their
//! path are Glasshouse's own, unchanged; the others are what a service writes to use them. docs/adapt.md describes both.
//!
//! It runs on SQLite in memory, or on Postgres with two roles (`DATABASE_OWNER_URL`, and `DATABASE_URL` for a role that is
//! neither owner nor superuser), where row-level security isolates the tenants too.
#![allow(unreachable_pub, reason = "the files of Glasshouse are part of a library")]
#![allow(clippy::disallowed_methods, reason = "a service may read its environment where it likes")]

mod db;
mod service;

#[tokio::main]
async fn main() -> service::Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let url = variable("DATABASE_URL").unwrap_or_else(|| "sqlite::memory:".to_owned());
    let owner = variable("DATABASE_OWNER_URL").unwrap_or_else(|| url.clone());
    service::run(&url, &owner).await
}
