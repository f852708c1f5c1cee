//! The report as JUnit XML, for CI systems.

use anyhow::Result;
use quick_junit::{NonSuccessKind, Report as JUnit, TestCase, TestCaseStatus, TestSuite};

use super::{Outcome, Report};

impl Report {
    /// The report as JUnit XML: a suite for each exercise, with a case for the scenario itself and one for each alert.
    ///
    /// # Errors
    /// The XML cannot be written.
    pub fn to_junit(&self) -> Result<String> {
        let mut report = JUnit::new("drills");
        report.add_test_suites(self.outcomes.iter().map(suite));
        Ok(report.to_string()?)
    }
}

fn suite(outcome: &Outcome) -> TestSuite {
    let mut suite = TestSuite::new(outcome.scenario.as_str());
    suite.set_time(outcome.duration);
    let mut problems = outcome.problems.clone();
    if !outcome.undeclared.is_empty() {
        problems.push(format!("undeclared alerts fired: {}", outcome.undeclared.join(", ")));
    }
    suite.add_test_case(case("scenario", &problems));
    suite.add_test_cases(outcome.alerts.iter().map(|alert| case(&alert.name, &alert.problems)));
    suite
}

fn case(name: &str, problems: &[String]) -> TestCase {
    if problems.is_empty() {
        return TestCase::new(name, TestCaseStatus::success());
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(problems.join("; "));
    TestCase::new(name, status)
}

#[cfg(test)]
mod tests {
    use crate::report::tests::example;

    #[test]
    fn a_failed_alert_is_a_failed_case() {
        let xml = example().to_junit().unwrap();
        assert!(
            xml.contains(r#"<testsuites name="drills" tests="5" skipped="0" failures="2" errors="0">"#),
            "{xml}"
        );
        assert!(xml.contains(r#"message="fired, but was not delivered: a | b &lt;c&gt;""#), "{xml}");
    }
}
