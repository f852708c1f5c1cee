//! The queries of the runbooks: what somebody is told to ask in the middle of the night has an answer.

use glasshouse_drill::contract;
use glasshouse_drill::query::LocatedQuery;
use glasshouse_drill::project::files;
use glasshouse_drill::promql::parse;
use glasshouse_drill::rules::RuleFiles;

use crate::queries::documented;
use crate::{project, root};

/// The pages: where they are, and their text.
fn pages() -> Vec<(String, String)> {
    let page = |path: &std::path::PathBuf| {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        (place, std::fs::read_to_string(path).unwrap())
    };
    files(&project().runbooks(), "md").unwrap().iter().map(page).collect()
}

/// The queries between backticks behind this mark, such as `LogQL:`.
pub(crate) fn marked(mark: &str) -> Vec<Query> {
    let mut found = Vec::new();
    for (place, page) in pages() {
        let queries = page.split(mark).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('`'));
        let queries = queries.filter_map(|rest| rest.split('`').next());
        found.extend(queries.map(|query| Query { place: place.clone(), expression: query.to_owned() }));
    }
    found
}

/// The queries of a block of code: an expression may go on in the next lines, until it is whole.
fn in_block(block: &str) -> Vec<String> {
    let (mut whole, mut begun) = (Vec::new(), String::new());
    for line in block.lines() {
        begun += line.split(" #").next().unwrap_or_default();
        if parse(&begun).is_ok() {
            whole.push(std::mem::take(&mut begun));
        }
    }
    if !begun.is_empty() {
        whole.push(begun);
    }
    whole
}

#[test]
fn runbooks_ask_for_metrics_and_labels_that_are_exported() {
    let mut queries = Vec::new();
    for (place, page) in pages() {
        let blocks = page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
        let expressions = blocks.flat_map(in_block);
        queries.extend(expressions.map(|expression| Query { place: place.clone(), expression }));
    }
    assert!(queries.len() > 50, "they were not found: {queries:?}");
    let rules = RuleFiles::read(&project().rules()).unwrap().rules().unwrap();
    assert_eq!(contract::violations(&queries, &rules, &documented()).unwrap(), [""; 0]);
}

#[test]
fn expressions_of_several_lines_are_put_together() {
    let block = "up    # there?\ntopk(5,\n  a\n  - b)\nsum(c";
    assert_eq!(in_block(block), ["up   ", "topk(5,  a  - b)", "sum(c"]);
}
