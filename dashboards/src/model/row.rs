//! A row of panels, and the layout of its panels.

use serde_json::{Value, json};

use super::alert::Alert;
use super::panel::Panel;

/// The number of columns in Grafana's grid.
const COLUMNS: u32 = 24;

/// Panels below a header.
#[derive(Clone, Debug)]
pub struct Row {
    title: String,
    height: u32,
    panels: Vec<(u32, Panel)>,
}

impl Row {
    /// An empty row. `height` is that of its panels, in units of Grafana's grid (30 pixels).
    pub fn new(title: &str, height: u32) -> Self {
        Self { title: title.to_owned(), height, panels: Vec::new() }
    }

    /// Adds a panel to the right of the others, or below them if the line is full. `width` is 1 to 24 columns.
    #[must_use]
    pub fn panel(mut self, width: u32, panel: Panel) -> Self {
        self.panels.push((width.clamp(1, COLUMNS), panel));
        self
    }

    pub(super) fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter().map(|(_, panel)| panel)
    }

    pub(super) fn panels_mut(&mut self) -> impl Iterator<Item = &mut Panel> {
        self.panels.iter_mut().map(|(_, panel)| panel)
    }

    /// Whether a panel shows this alert.
    pub(super) fn shows(&self, alert: &Alert) -> bool {
        self.panels().any(|panel| panel.alerts.iter().any(|shown| shown.name == alert.name))
    }

    /// Appends the header and the panels to `panels`, from the line `top` on. Returns the next free line.
    pub(super) fn write(&self, mut top: u32, panels: &mut Vec<Value>) -> u32 {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": self.title,
            "collapsed": false,
            "panels": [],
            "gridPos": { "x": 0, "y": top, "w": COLUMNS, "h": 1 },
        }));
        top += 1;
        let mut left = 0;
        for (width, panel) in &self.panels {
            if left + width > COLUMNS {
                (left, top) = (0, top + self.height);
            }
            let mut json = panel.to_json();
            json["id"] = json!(panels.len() + 1);
            json["gridPos"] = json!({ "x": left, "y": top, "w": width, "h": self.height });
            panels.push(json);
            left += width;
        }
        top + self.height
    }
}
