//! Writes `grafana/dashboards`, in the project's folder: the one that is given, or the current one.

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    glasshouse_dashboards::write(&root)
}
