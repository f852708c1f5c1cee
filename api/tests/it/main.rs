//! Integration tests: each boots the real application on ports that the kernel picks, and talks to it over
//! HTTP. Most run twice: on embedded parts, and on Postgres and Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

mod authentication;
mod authorisation;
mod bad_input;
mod bad_requests;
mod command_line;
mod configuration;
mod fuzz;
mod health;
mod isolation;
mod limits;
mod openapi;
mod outages;
mod pagination;
mod products;
mod rate_limit;
mod row_level_security;
mod shutdown;
mod smoke;
mod sqlite;
mod statements;
mod users;
