//! The HTML page of the deliveries.

use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::NOWHERE;
use super::runbooks::Runbooks;
use super::store::{AlertStatus, Delivery};
use super::switch::Heartbeat;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width">
<title>Delivered alerts</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c1c; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .4rem .8rem; border-bottom: 1px solid #ddd; vertical-align: top; }
  .firing { color: #b00020; font-weight: 600; }
  .resolved { color: #1b6e33; }
  td small { display: block; color: #555; }
  td a { display: block; white-space: nowrap; }
</style>
<h1>Delivered alerts</h1>
"#;

/// Renders the deliveries as a table.
pub(super) fn render(deliveries: &[Delivery], heartbeat: &Heartbeat, runbooks: &Runbooks) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&match heartbeat {
        Heartbeat { is_missing: true, .. } => {
            "<p class=\"firing\">Watchdog no longer arrives: alerts may not either.</p>\n".to_owned()
        }
        Heartbeat { last_received_at: Some(at), .. } => {
            format!("<p>Watchdog last arrived at {} UTC.</p>\n", shown(*at))
        }
        Heartbeat { last_received_at: None, .. } => "<p>Watchdog has not arrived yet.</p>\n".to_owned(),
    });
    if deliveries.is_empty() {
        page.push_str("<p>No deliveries yet. Alertmanager sends firing and resolved alerts here.</p>\n");
        return page;
    }
    page.push_str(
        "<table>\n<tr><th>Time (UTC)<th>Status<th>Alert<th>Severity<th>Service<th>Summary<th>Links\n",
    );
    for delivery in deliveries {
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "<tr><td>{}<td class=\"{class}\">{status}<td>{}<td>{}<td>{}<td>{}<small>{}</small><td>{}{}{}",
            shown(delivery.received_at),
            escape(&delivery.alert),
            escape(&delivery.severity),
            escape(&delivery.service),
            escape(&delivery.summary),
            escape(&delivery.description),
            runbook(delivery, runbooks),
            link("dashboard", &delivery.dashboard_url),
            link("expression", &delivery.expression_url),
            class = if delivery.status == AlertStatus::Resolved { "resolved" } else { "firing" },
            status = match delivery.status {
                AlertStatus::Firing => "firing",
                AlertStatus::Resolved => "resolved",
                AlertStatus::Missing => "missing",
            },
        );
    }
    page.push_str("</table>\n");
    page
}

/// A link to the copy of the runbook that this server has, which can be read without Grafana; otherwise to that of the alert.
fn runbook(delivery: &Delivery, runbooks: &Runbooks) -> String {
    match runbooks.page_of(&delivery.alert) {
        Some(page) => format!("<a href=\"runbooks/{page}\">runbook</a>"),
        None => link("runbook", &delivery.runbook_url),
    }
}

fn shown(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    time.format(format).unwrap_or_default()
}

/// A link. Only HTTP URLs become links, because other schemes can run scripts. One to a name that never resolves, as in a stack
/// without Grafana, is left out.
fn link(name: &str, url: &str) -> String {
    let shown = escape(url);
    if url.starts_with(NOWHERE) {
        String::new()
    } else if url.starts_with("https://") || url.starts_with("http://") {
        format!("<a href=\"{shown}\">{name}</a>")
    } else {
        shown
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivered_text_is_escaped() {
        assert_eq!(escape(r#"<a b="c" d='e'>&"#), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
        assert_eq!(link("runbook", "javascript:alert(1)"), "javascript:alert(1)");
        assert_eq!(link("dashboard", &format!("{NOWHERE}/d/overview")), "");
        assert_eq!(
            link("runbook", "https://a/?b=\"c\""),
            "<a href=\"https://a/?b=&quot;c&quot;\">runbook</a>"
        );
    }
}
