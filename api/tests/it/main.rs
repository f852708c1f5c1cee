//! Integration tests: each starts the real application on free ports and sends requests over HTTP. Most run twice:
//! on SQLite with in-process cache and limiter, and on Postgres and Redis.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

mod allowed_hosts;
mod attempts;
mod audit;
mod authentication;
mod authority;
mod authorization;
mod background_work;
mod bad_input;
mod bad_requests;
mod bodies;
mod bounds;
mod broken_connections;
mod canary;
mod cancel_and_refund;
mod checkout;
#[cfg(target_os = "linux")]
mod clocks;
mod closed_pipe;
mod command_line;
mod configuration;
mod connections;
mod console;
mod contract;
mod crash;
mod dead_receivers;
mod encodings;
mod environment;
mod error_codes;
mod errors;
mod examples;
mod faults;
mod forwarded;
mod full_disk;
mod fuzz;
mod health;
mod idempotency;
mod invariants;
mod isolation;
mod limits;
mod logs;
mod lost_connections;
mod malformed_requests;
mod methods;
mod metrics;
mod migrations;
mod new_passwords;
mod openapi;
mod outages;
mod outbox;
mod overload;
mod pagination;
mod password_resets;
mod passwords;
mod pooler;
mod products;
mod profiles;
mod rate_limit;
mod read_only_file;
mod readme;
mod redelivery;
mod redis_connections;
mod reports;
mod response_headers;
mod retry_budget;
mod row_level_security;
mod runbooks;
mod schemathesis;
mod series_from_start;
mod settlement;
mod shutdown;
mod shutdown_under_traffic;
mod smoke;
mod sqlite;
mod statements;
mod static_files;
mod stock;
mod tenant_shares;
mod throttling;
mod tls;
mod trace_context;
mod traces;
mod users;
mod values;
mod walk;
mod wiring;
mod workflows;
mod zombies;
