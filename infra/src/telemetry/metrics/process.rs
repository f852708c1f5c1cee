use prometheus::process_collector::ProcessCollector;
use prometheus::{Error, IntGauge, Opts, Registry};

/// CPU, memory and file descriptors of the process, and which build it is.
pub(super) fn register(registry: &Registry) -> Result<(), Error> {
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let build = Opts::new("build_info", "Always 1; the labels say which build this is.")
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("commit", option_env!("GLASSHOUSE_COMMIT").unwrap_or("unknown"));
    let build = IntGauge::with_opts(build)?;
    build.set(1);
    registry.register(Box::new(build))
}
