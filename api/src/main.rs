//! The binary `glasshouse`. All of its code is in the library, so that tests run what production runs.

use std::process::ExitCode;

use clap::Parser;

/// It takes less CPU time than glibc's allocator: see docs/performance.md. Heap profiles need jemalloc.
#[cfg(not(feature = "heap-profiling"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    glasshouse_api::cli::Cli::parse().run()
}
