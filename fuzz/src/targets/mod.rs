//! The targets.
//!
//! Not among them: parsers of libraries that are called as they are (HTTP/1.1, command lines, PEM), and parsers of the development
//! tools, which read files of this repository.

mod accept_encoding;
mod acknowledgement;
mod authorization;
mod baggage;
mod body_coding;
mod cache_entry;
mod config;
mod currency;
mod cursor;
mod database_address;
mod day;
mod decline_reason;
mod email;
mod fault_plan;
mod forwarded;
mod gateway_behavior;
mod gateway_response;
mod gateway_simulator;
mod headers;
mod host;
mod id;
mod idempotency_key;
mod if_match;
mod listen_address;
mod money;
mod name;
mod outbox_event;
mod page_query;
mod password;
mod quota;
mod redis_address;
mod request_id;
mod service;
mod sku;
mod slug;
mod states;
mod telemetry_settings;
mod token;
mod traceparent;
mod tracestate;
mod trusted_proxies;
mod uber_trace_id;

use crate::Target;

/// All targets, in alphabetical order.
pub const ALL: [Target; 40] = [
    accept_encoding::TARGET,
    acknowledgement::TARGET,
    authorization::TARGET,
    baggage::TARGET,
    body_coding::TARGET,
    cache_entry::TARGET,
    config::TARGET,
    currency::TARGET,
    cursor::TARGET,
    database_address::TARGET,
    day::TARGET,
    decline_reason::TARGET,
    email::TARGET,
    fault_plan::TARGET,
    forwarded::TARGET,
    gateway_behavior::TARGET,
    gateway_response::TARGET,
    gateway_simulator::TARGET,
    host::TARGET,
    id::TARGET,
    idempotency_key::TARGET,
    if_match::TARGET,
    listen_address::TARGET,
    money::TARGET,
    name::TARGET,
    outbox_event::TARGET,
    page_query::TARGET,
    password::TARGET,
    quota::TARGET,
    redis_address::TARGET,
    request_id::TARGET,
    sku::TARGET,
    slug::TARGET,
    states::TARGET,
    telemetry_settings::TARGET,
    token::TARGET,
    traceparent::TARGET,
    tracestate::TARGET,
    trusted_proxies::TARGET,
    uber_trace_id::TARGET,
];
