//! The binary `glasshouse`. All of its code is in the library, so that tests run what production runs.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    glasshouse_api::cli::Cli::parse().run()
}
