//! The queries in runbooks use exported metrics and labels.

use glasshouse_drill::contract;
use glasshouse_drill::project::files;
use glasshouse_drill::promql::parse;
use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::rules::RuleFiles;

use crate::queries::documented;
use crate::{project, root};

/// The runbooks: paths and text.
fn pages() -> Vec<(String, String)> {
    let page = |path: &std::path::PathBuf| {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        (place, std::fs::read_to_string(path).unwrap())
    };
    files(&project().runbooks(), "md").unwrap().iter().map(page).collect()
}

/// The queries in backticks after a mark such as `LogQL:`.
pub(crate) fn marked(mark: &str) -> Vec<LocatedQuery> {
    let mut found = Vec::new();
    for (place, page) in pages() {
        let queries = page.split(mark).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('`'));
        let queries = queries.filter_map(|rest| rest.split('`').next());
        found
            .extend(queries.map(|query| LocatedQuery { place: place.clone(), expression: query.to_owned() }));
    }
    found
}

/// The queries of a code block. An expression continues on the next lines until it can be parsed.
fn in_block(block: &str) -> Vec<String> {
    let (mut complete, mut partial) = (Vec::new(), String::new());
    for line in block.lines() {
        partial += line.split(" #").next().unwrap_or_default();
        if parse(&partial).is_ok() {
            complete.push(std::mem::take(&mut partial));
        }
    }
    if !partial.is_empty() {
        complete.push(partial);
    }
    complete
}

#[test]
fn runbooks_use_exported_metrics_and_labels() {
    let mut queries = Vec::new();
    for (place, page) in pages() {
        let blocks = page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
        let expressions = blocks.flat_map(in_block);
        queries.extend(expressions.map(|expression| LocatedQuery { place: place.clone(), expression }));
    }
    assert!(queries.len() > 50, "not all queries were found: {queries:?}");
    let rules = RuleFiles::read(&project().rules()).unwrap().rules().unwrap();
    assert_eq!(contract::violations(&queries, &rules, &documented()).unwrap(), [""; 0]);
}

#[test]
fn expressions_of_several_lines_are_joined() {
    let block = "up    # there?\ntopk(5,\n  a\n  - b)\nsum(c";
    assert_eq!(in_block(block), ["up   ", "topk(5,  a  - b)", "sum(c"]);
}
