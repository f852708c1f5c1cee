//! The dashboards of Grafana, as code: `grafana/dashboards` is what the program `dashboards` writes.
//!
//! Start reading at [`pages`], which are the dashboards. [`model`] is what they are made of. [`alerts`] reads
//! thresholds from the rules, so that a panel turns red exactly where its alert fires.

pub mod alerts;
pub mod model;
pub mod pages;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use alerts::Alerts;
use glasshouse_drill::project::Project;

/// The files of `grafana/dashboards` as they should be: their paths and what is in them.
pub fn files(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let project = Project::new(root);
    let dashboards = pages::all(&Alerts::read(&project)?)?;
    let file = |dashboard: &model::Dashboard| {
        let text = serde_json::to_string_pretty(&dashboard.to_json())? + "\n";
        Ok((project.dashboards().join(dashboard.file_name()), text))
    };
    dashboards.iter().map(file).collect()
}

/// Writes them.
pub fn write(root: &Path) -> Result<()> {
    for (path, text) in files(root)? {
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
