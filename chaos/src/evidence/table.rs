//! The table of faults and their evidence, as docs/reliability.md shows it.

use std::fmt::Display;

use crate::faults::Fault;
use crate::proxy::{FailPoint, Moment};
use crate::system::Role;

/// All faults and their evidence as a Markdown table.
pub(crate) fn table() -> String {
    let mut lines = vec![
        "| fault | alert | metric | log record | failed span |".to_owned(),
        "| --- | --- | --- | --- | --- |".to_owned(),
    ];
    lines.extend(faults().map(|fault| {
        let expectation = fault.expectation();
        format!(
            "| {} | {} | {} | {} | {} |",
            fault.kind(),
            expectation.alerts.join(", "),
            list(expectation.metrics),
            list(expectation.events),
            list(expectation.spans)
        )
    }));
    lines.join("\n")
}

fn faults() -> impl Iterator<Item = Fault> {
    let fail_point = || FailPoint { statement: String::new(), moment: Moment::Before };
    let at_fail_points = [Role::Api, Role::Worker]
        .into_iter()
        .flat_map(move |role| [Fault::KillAt(role, fail_point()), Fault::PauseAt(role, fail_point())]);
    at_fail_points.chain(Fault::all())
}

fn list(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use glasshouse_drill::contract::{ExportedMetrics, TelemetryContract, violations};
    use glasshouse_drill::project::Project;
    use glasshouse_drill::query::LocatedQuery;
    use glasshouse_drill::rules::RuleFiles;

    use super::super::expectation::Event;
    use super::super::parts::Part;
    use super::*;

    fn project() -> Project {
        Project::read(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap()
    }

    #[test]
    fn the_page_shows_the_table() {
        let page = fs::read_to_string(project().root().join("docs/reliability.md")).unwrap();
        assert!(page.contains(&table()), "write this between the marks of `evidence`:\n{}", table());
    }

    #[test]
    fn every_alert_event_and_metric_exists() {
        let alerts = RuleFiles::read(&project().rules()).unwrap().alerts().unwrap();
        let contract = TelemetryContract::read(&project().telemetry_contract().unwrap()).unwrap();
        let mut exported = ExportedMetrics::default();
        exported.add_contract(&contract);
        let in_parts = Part::ALL.into_iter().flat_map(|part| part.alerts());
        let expectations: Vec<_> = faults().map(|fault| fault.expectation()).collect();
        for alert in expectations.iter().flat_map(|expectation| expectation.alerts).chain(in_parts) {
            assert!(alerts.iter().any(|name| name == alert), "{alert}");
        }
        let in_parts = Part::ALL.into_iter().flat_map(|part| part.events());
        for event in expectations.iter().flat_map(|expectation| expectation.events).chain(in_parts) {
            let (Event::Named(name) | Event::About(name, _)) = event;
            assert!(contract.has_event(name), "{event}");
        }
        let metrics = expectations.iter().flat_map(|expectation| expectation.metrics);
        let queries: Vec<_> = metrics
            .map(|metric| LocatedQuery {
                place: metric.to_string(),
                expression: metric.query(Duration::from_secs(1)),
            })
            .collect();
        assert_eq!(violations(&queries, &[], &exported).unwrap(), Vec::<String>::new());
    }
}
