//! The modules whose text is recorded. Code of the service controls what it writes into which field, and is redacted by the
//! names of fields. A library may write anything that a client sent, under any name: of its records, numbers alone are kept.

use std::sync::Arc;

use tracing::Metadata;

use crate::settings::build::Build;

/// This crate.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// Libraries that write about telemetry that is redacted already, and about its receivers. Those that read headers are in
/// other modules.
const EXPORTERS: [&str; 4] =
    ["opentelemetry_otlp", "opentelemetry_sdk::logs", "opentelemetry_sdk::trace", "pyroscope"];

/// Decides by module whether the text of a record is recorded.
#[derive(Clone, Debug)]
pub(crate) struct TrustedModules(Arc<[String]>);

impl TrustedModules {
    /// Trusts the program, the modules with these prefixes, and telemetry itself.
    pub(crate) fn new(build: Build, prefixes: &[&str]) -> Self {
        let all = prefixes.iter().copied().chain([build.name, OWN]).chain(EXPORTERS);
        Self(all.map(|name| name.replace('-', "_")).collect())
    }

    /// Whether one of these modules wrote the record, or began the span. The target does not matter, which any code may choose.
    pub(crate) fn wrote(&self, metadata: &Metadata<'_>) -> bool {
        let module = metadata.module_path().unwrap_or_else(|| metadata.target());
        self.0.iter().any(|prefix| is_in(module, prefix))
    }
}

fn is_in(module: &str, prefix: &str) -> bool {
    module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_names_a_module_and_those_below_it() {
        for inside in ["shop", "shop::cart", "shop::cart::item"] {
            assert!(is_in(inside, "shop"), "{inside}");
        }
        for outside in ["shopping", "sho", "other::shop", ""] {
            assert!(!is_in(outside, "shop"), "{outside}");
        }
    }
}
