//! `telemetry-contract`: prints every metric and every event of the service.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use glasshouse_telemetry::service;

use crate::stdout;

/// How to print the contract.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ContractArgs {
    /// A Markdown document: print it with the tables of the contract, instead of the contract as JSON.
    #[arg(long, value_name = "FILE")]
    tables: Option<PathBuf>,
}

/// Prints the contract as JSON, or a document with the contract's tables.
pub(crate) fn print(args: &ContractArgs) -> anyhow::Result<()> {
    let contract = service::contract()?;
    let text = match &args.tables {
        Some(file) => {
            let document =
                fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            contract.write_tables(&document).with_context(|| file.display().to_string())?
        }
        None => contract.to_json()?,
    };
    Ok(stdout::print(&text)?)
}
