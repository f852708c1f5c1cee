//! The commands of the binary, a file for each.

pub(crate) mod audit;
pub(crate) mod check_config;
pub(crate) mod check_health;
pub(crate) mod dead_letters;
pub(crate) mod demo;
mod demo_data;
pub(crate) mod migrate;
pub(crate) mod openapi;
pub(crate) mod seed;
pub(crate) mod serve;
pub(crate) mod set_plan;
pub(crate) mod telemetry_contract;
