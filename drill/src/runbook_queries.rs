//! The queries of runbooks, which a person on call runs. A drill runs them while the alert fires.

use crate::promql::parse;

/// A query of a runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunbookQuery {
    /// Its language.
    pub language: QueryLanguage,
    /// The query.
    pub expression: String,
}

/// The language of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryLanguage {
    /// Prometheus.
    PromQl,
    /// Loki.
    LogQl,
    /// Tempo.
    TraceQl,
}

/// The queries of a page: those in blocks `promql`, and those in backticks after `LogQL:` and `TraceQL:`.
pub fn runbook_queries(page: &str) -> Vec<RunbookQuery> {
    let blocks = page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let promql = blocks.flat_map(in_block).map(|expression| (QueryLanguage::PromQl, expression));
    let logql = marked(page, "LogQL:").map(|expression| (QueryLanguage::LogQl, expression));
    let traceql = marked(page, "TraceQL:").map(|expression| (QueryLanguage::TraceQl, expression));
    let all = promql.chain(logql).chain(traceql);
    all.map(|(language, expression)| RunbookQuery { language, expression }).collect()
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

/// The queries in backticks after a mark.
fn marked(page: &str, mark: &str) -> impl Iterator<Item = String> {
    let queries = page.split(mark).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('`'));
    queries.filter_map(|rest| rest.split('`').next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_several_lines_are_joined() {
        let block = "up    # there?\ntopk(5,\n  a\n  - b)\nsum(c";
        assert_eq!(in_block(block), ["up   ", "topk(5,  a  - b)", "sum(c"]);
    }

    #[test]
    fn a_page_has_queries_in_three_languages() {
        let page = "```promql\nup == 0\n```\n- LogQL:\n  `{a=\"b\"} |= \"c\"`\n- TraceQL: `{ status = error }`, and `up`";
        let found: Vec<_> =
            runbook_queries(page).into_iter().map(|query| (query.language, query.expression)).collect();
        let expected = [
            (QueryLanguage::PromQl, "up == 0"),
            (QueryLanguage::LogQl, "{a=\"b\"} |= \"c\""),
            (QueryLanguage::TraceQl, "{ status = error }"),
        ];
        assert_eq!(found, expected.map(|(language, query)| (language, query.to_owned())));
    }
}
