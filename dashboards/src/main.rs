//! Writes `grafana/dashboards` of the repository in the given folder (default: the current folder).

use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    glasshouse_dashboards::write(&root)
}
