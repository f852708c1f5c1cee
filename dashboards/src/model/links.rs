//! Links from panels, and from single series or rows of them: to dashboards and to Explore.

use serde_json::json;

use super::panel::{Panel, Visualization};
use super::query::Query;

impl Panel {
    /// Adds a link to another dashboard, which gets the variables of this one.
    #[must_use]
    pub fn dashboard_link(mut self, title: &str, uid: &str) -> Self {
        let url = format!("/d/{uid}?${{__url_time_range}}&${{__all_variables}}");
        self.links.push(json!({ "title": title, "url": url }));
        self
    }

    /// Adds a link of each series or row to another dashboard. It sets variables there to labels of the series, which are
    /// given as pairs of variable and label.
    #[must_use]
    pub fn drill_down(self, title: &str, uid: &str, variables: &[(&str, &str)]) -> Self {
        let value = |(variable, label): &(&str, &str)| format!("&var-{variable}={}", self.label(label));
        let values: String = variables.iter().map(value).collect();
        self.data_link(title, &format!("/d/{uid}?${{__url_time_range}}{values}"))
    }

    /// Adds a link of each series or row to a query in Explore. `<label>` in the query stands for a label of the series.
    #[must_use]
    pub fn explore(mut self, title: &str, query: &Query) -> Self {
        let pane = json!({
            "datasource": query.source.reference()["uid"],
            "queries": [query.to_json(0)],
            "range": { "from": "${__from}", "to": "${__to}" },
        });
        let mut panes = json!({ "a": pane }).to_string();
        while let Some((before, rest)) = panes.split_once('<') {
            let (label, after) = rest.split_once('>').unwrap_or((rest, ""));
            panes = format!("{before}{}{after}", self.label(label));
        }
        self.linked_sources.push(query.source);
        self.data_link(title, &format!("/explore?schemaVersion=1&panes={}", percent_encode(&panes)))
    }

    /// Grafana's variable for a label of the series or row that is clicked.
    fn label(&self, label: &str) -> String {
        match self.visualization {
            Visualization::Table => format!("${{__data.fields.{label}}}"),
            _ => format!("${{__field.labels.{label}}}"),
        }
    }

    fn data_link(mut self, title: &str, url: &str) -> Self {
        self.data_links.push(json!({ "title": title, "url": url }));
        self
    }
}

/// Percent-encodes a text for a URL, except for Grafana's variables (`${name}`), which Grafana replaces and encodes.
fn percent_encode(text: &str) -> String {
    let encode = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let (mut result, mut rest) = (String::new(), text);
    while let Some((before, variable)) = rest.split_once("${") {
        let (name, after) = variable.split_once('}').unwrap_or((variable, ""));
        result += &format!("{}${{{name}}}", encode(before));
        rest = after;
    }
    result + &encode(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unit;

    fn url(panel: &Panel) -> String {
        panel.data_links[0]["url"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_row_takes_its_labels_along() {
        let table = || Panel::new(Visualization::Table, Unit::None, "Endpoints", "All endpoints.");
        let link =
            table().drill_down("Overview", "overview", &[("endpoint", "endpoint"), ("tenant", "tenant_id")]);
        let expected = "/d/overview?${__url_time_range}&var-endpoint=${__data.fields.endpoint}\
                        &var-tenant=${__data.fields.tenant_id}";
        assert_eq!(url(&link), expected);

        let graph = Panel::new(Visualization::TimeSeries, Unit::None, "Endpoints", "All endpoints.");
        let link = graph.explore("Traces", &Query::traceql(r#"{ name = "<route>" }"#));
        assert!(url(&link).contains("datasource%22%3A%22${tempo_datasource}%22"), "{}", url(&link));
        assert!(url(&link).contains("name%20%3D%20%5C%22${__field.labels.route}%5C%22"), "{}", url(&link));
    }
}
