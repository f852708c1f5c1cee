use serde_json::{Value, json};

use super::Panel;

/// Grafana's grid has so many columns.
const COLUMNS: u32 = 24;

/// Panels below a headline.
#[derive(Clone, Debug)]
pub struct Row {
    title: String,
    height: u32,
    panels: Vec<(u32, Panel)>,
}

impl Row {
    /// A row whose panels are so high, in units of Grafana's grid (30 pixels).
    pub fn new(title: &str, height: u32) -> Self {
        Self { title: title.to_owned(), height, panels: Vec::new() }
    }

    /// Adds a panel of so many of the 24 columns to the right of the others, or below them if it has no room.
    #[must_use]
    pub fn panel(mut self, width: u32, panel: Panel) -> Self {
        self.panels.push((width.clamp(1, COLUMNS), panel));
        self
    }

    /// Adds its headline and its panels below `top`. Gives the line below them.
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
