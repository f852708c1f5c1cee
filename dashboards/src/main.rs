//! Writes the dashboards of the repository in the current folder:
//!
//! ```text
//! dashboards                           grafana/dashboards, grafana/runbooks
//! dashboards export FOLDER [RUNBOOKS]  dashboards to import, and a mixin; RUNBOOKS is the URL of the runbooks
//! ```

use std::path::Path;

use anyhow::{Result, bail};
use glasshouse_dashboards::{export, write};
use glasshouse_drill::project::Project;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => write(Path::new(".")),
        ["export", folder] => export::export(&Project::read(".")?, Path::new(folder), None),
        ["export", folder, runbooks] => {
            export::export(&Project::read(".")?, Path::new(folder), Some(runbooks))
        }
        _ => bail!("usage: dashboards [export FOLDER [RUNBOOKS]]"),
    }
}
