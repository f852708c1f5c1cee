//! The program of `make fuzz`: a campaign over all targets, or, in a process that the campaign starts, one target under libFuzzer.
//!
//! libFuzzer has the `main` function. It calls the code behind `init` first.

#![no_main]

use std::process::exit;
use std::sync::OnceLock;

use glasshouse_fuzz::{Target, campaign};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        match campaign::selected_target() {
            Some(target) => TARGET.get_or_init(|| target),
            None => exit(campaign::run_from_command_line()),
        }
    },
    |input: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(input);
        }
    }
);
