//! Grafana's dashboards as code. The program `dashboards` writes them to `grafana/dashboards`, and the runbooks as pages to
//! `grafana/runbooks`.
//!
//! - [`pages`]: the dashboards. **Start reading here.**
//! - [`model`]: the typed building blocks of a dashboard.
//! - [`series`]: filters every query by the variables of its dashboard.
//! - [`coverage`]: the panels with a query that CI cannot run.
//! - [`export`]: dashboards and rules for another monitoring stack.
//! - [`alerts`]: the alerts with their thresholds, read from the rules, so that a panel turns red where its alert fires.
//!
//! Of `glasshouse-drill` it uses what reads the repository (project, catalogue, rules, PromQL, data sources), and nothing
//! that runs a stack.
//!
//! ```
//! use std::path::Path;
//!
//! # fn main() -> anyhow::Result<()> {
//! let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
//! let files = glasshouse_dashboards::files(root)?;
//! assert!(files.iter().any(|(path, _)| path.ends_with("grafana/dashboards/glasshouse-overview.json")));
//! # Ok(())
//! # }
//! ```

pub mod alerts;
pub mod coverage;
pub mod export;
pub mod inhibitions;
pub mod lint;
pub mod model;
pub mod pages;
pub mod series;

mod promql_text;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use alerts::Alerts;
use glasshouse_drill::grafana::DashboardFile;
use glasshouse_drill::project::Project;
use glasshouse_runbooks::Runbook;

/// The folder of the pages of the runbooks.
const RUNBOOK_PAGES: &str = "grafana/runbooks";

/// The page of documentation with the table of panels.
const DOCUMENT: &str = "docs/dashboards.md";

/// The files of `grafana/dashboards` and `grafana/runbooks`, and `docs/dashboards.md` with its table: paths and content.
///
/// # Errors
/// The rules or the catalogue cannot be read, or a dashboard shows an unknown alert.
pub fn files(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let project = Project::read(root)?;
    let alerts = Alerts::read(&project)?;
    let dashboards = pages::all(&alerts)?;
    let folder = project.dashboards()?;
    let mut files = vec![(folder.join(".lint"), lint::configuration(&dashboards, alerts.series())?)];
    for dashboard in &dashboards {
        let text = serde_json::to_string_pretty(&dashboard.to_json())? + "\n";
        files.push((folder.join(dashboard.file_name()), text));
    }
    let page = |runbook: &Runbook| (root.join(RUNBOOK_PAGES).join(runbook.file_name()), runbook.html());
    files.extend(glasshouse_runbooks::ALL.iter().map(page));
    let written: Vec<_> = dashboards.iter().map(|one| DashboardFile::new(one.to_json())).collect();
    let document = root.join(DOCUMENT);
    let text = std::fs::read_to_string(&document).with_context(|| document.display().to_string())?;
    files.push((document, coverage::write_table(&text, &written)?));
    Ok(files)
}

/// Writes these files.
///
/// # Errors
/// As [`files`], or a file cannot be written.
pub fn write(root: &Path) -> Result<()> {
    for (path, text) in files(root)? {
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
