//! Integration tests: each boots the real application on ports that the kernel picks, and talks to it over
//! HTTP. Most run twice: on embedded parts, and on Postgres and Redis.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

mod command_line;
mod configuration;
mod health;
mod limits;
mod openapi;
mod outages;
mod rate_limit;
mod shutdown;
mod smoke;
mod sqlite;
