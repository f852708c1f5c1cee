//! Infers the labels of an expression, from its selectors outward.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{
    AggregateExpr, BinModifier, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use super::exported::ExportedMetrics;
use crate::promql::{is_scalar, selectors};

/// Series of recording rules: the expressions that record each, with the labels that the rule adds.
pub(super) type RecordedSeries = BTreeMap<String, Vec<(Expr, BTreeSet<String>)>>;

type Labels = BTreeSet<String>;

/// Checks the metrics and labels that an expression uses.
pub(super) struct LabelChecker<'a> {
    exported: &'a ExportedMetrics,
    recorded: &'a RecordedSeries,
    problems: RefCell<Vec<String>>,
}

impl<'a> LabelChecker<'a> {
    pub(super) fn new(exported: &'a ExportedMetrics, recorded: &'a RecordedSeries) -> Self {
        Self { exported, recorded, problems: RefCell::default() }
    }

    /// Missing metrics and labels in an expression: one message each.
    pub(super) fn problems(&self, expression: &Expr) -> Vec<String> {
        self.labels(expression);
        self.problems.take()
    }

    fn report(&self, problem: String) {
        self.problems.borrow_mut().push(problem);
    }

    /// The labels that the series of an expression may have; `None` if a metric in it does not exist.
    fn labels(&self, expression: &Expr) -> Option<Labels> {
        match expression {
            Expr::Aggregate(aggregate) => self.of_aggregate(aggregate),
            Expr::Binary(binary) => self.of_binary(binary),
            Expr::Call(call) => self.of_call(call),
            Expr::VectorSelector(selector) => self.of_selector(selector),
            Expr::MatrixSelector(matrix) => self.of_selector(&matrix.vs),
            Expr::Unary(unary) => self.labels(&unary.expr),
            Expr::Paren(paren) => self.labels(&paren.expr),
            Expr::Subquery(subquery) => self.labels(&subquery.expr),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Some(Labels::new()),
            Expr::Extension(_) => None,
        }
    }

    fn of_selector(&self, selector: &VectorSelector) -> Option<Labels> {
        let matched = selector.matchers.matchers.iter();
        let named = matched.clone().find(|matcher| matcher.name == "__name__").map(|matcher| &matcher.value);
        let metric = selector.name.as_ref().or(named)?;
        let Some(labels) = self.of_metric(metric) else {
            self.report(format!("no process exports the metric {metric}"));
            return None;
        };
        for matcher in matched.filter(|matcher| matcher.name != "__name__") {
            if !labels.contains(&matcher.name) {
                self.report(format!("{metric} has no label {}", matcher.name));
            }
        }
        Some(labels)
    }

    /// The labels of a metric; `None` if it is neither recorded nor exported.
    pub(super) fn of_metric(&self, metric: &str) -> Option<Labels> {
        let Some(queries) = self.recorded.get(metric) else { return self.exported.labels(metric).cloned() };
        let mut all = Labels::new();
        for (query, added) in queries {
            // Problems of a recording rule are reported where the rule itself is checked.
            let inner = LabelChecker::new(self.exported, self.recorded);
            all.extend(inner.labels(query).unwrap_or_default());
            all.extend(added.iter().cloned());
        }
        Some(all)
    }

    fn of_aggregate(&self, aggregate: &AggregateExpr) -> Option<Labels> {
        if let Some(parameter) = &aggregate.param {
            self.labels(parameter);
        }
        let inner = self.labels(&aggregate.expr)?;
        let operator = aggregate.op.to_string();
        let mut kept = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => {
                self.require("by", &labels.labels, &inner, &aggregate.expr);
                labels.labels.iter().cloned().collect()
            }
            Some(LabelModifier::Exclude(labels)) => {
                inner.iter().filter(|label| !labels.labels.contains(label)).cloned().collect()
            }
            None => Labels::new(),
        };
        match (operator.as_str(), aggregate.param.as_deref()) {
            ("topk" | "bottomk" | "limitk" | "limit_ratio", _) => return Some(inner),
            ("count_values", Some(Expr::StringLiteral(label))) => {
                kept.insert(label.val.clone());
            }
            _ => {}
        }
        Some(kept)
    }

    fn of_binary(&self, binary: &BinaryExpr) -> Option<Labels> {
        let (left, right) = (self.labels(&binary.lhs), self.labels(&binary.rhs));
        let modifier = binary.modifier.clone().unwrap_or_default();
        if let Some(LabelModifier::Include(on)) = &modifier.matching {
            for (labels, side) in [(&left, &binary.lhs), (&right, &binary.rhs)] {
                if let Some(labels) = labels {
                    self.require("on", &on.labels, labels, side);
                }
            }
        }
        match binary.op.to_string().as_str() {
            _ if is_scalar(&binary.lhs) => right,
            _ if is_scalar(&binary.rhs) => left,
            "and" | "unless" => left,
            "or" => Some(left?.union(&right?).cloned().collect()),
            _ => self.of_match(&modifier, left?, right?, binary),
        }
    }

    fn of_match(
        &self,
        modifier: &BinModifier,
        left: Labels,
        right: Labels,
        binary: &BinaryExpr,
    ) -> Option<Labels> {
        match &modifier.card {
            VectorMatchCardinality::ManyToOne(added) => {
                self.require("group_left", &added.labels, &right, &binary.rhs);
                Some(left.into_iter().chain(added.labels.iter().cloned()).collect())
            }
            VectorMatchCardinality::OneToMany(added) => {
                self.require("group_right", &added.labels, &left, &binary.lhs);
                Some(right.into_iter().chain(added.labels.iter().cloned()).collect())
            }
            _ => Some(match &modifier.matching {
                Some(LabelModifier::Include(on)) => on.labels.iter().cloned().collect(),
                Some(LabelModifier::Exclude(ignored)) => {
                    left.into_iter().filter(|label| !ignored.labels.contains(label)).collect()
                }
                None => left,
            }),
        }
    }

    fn of_call(&self, call: &Call) -> Option<Labels> {
        let arguments: Vec<_> = call.args.args.iter().map(|argument| self.labels(argument)).collect();
        let text = |at: usize| match call.args.args.get(at).map(AsRef::as_ref) {
            Some(Expr::StringLiteral(text)) => Some(text.val.clone()),
            _ => None,
        };
        let mut result = Labels::new();
        for labels in arguments {
            result.extend(labels?);
        }
        match call.func.name {
            "label_replace" => {
                // Without a source, the replacement is a constant.
                let source: Vec<_> = text(3).into_iter().filter(|label| !label.is_empty()).collect();
                self.require("label_replace", &source, &result, &Expr::Call(call.clone()));
                result.extend(text(1));
            }
            "label_join" => result.extend(text(1)),
            // Only classic histograms have a series for each bucket.
            "histogram_quantile" if has_buckets(call) => {
                self.require("histogram_quantile", &["le".to_owned()], &result, &Expr::Call(call.clone()));
                result.remove("le");
            }
            "scalar" => result.clear(),
            _ => {}
        }
        Some(result)
    }

    fn require(&self, clause: &str, required: &[String], available: &Labels, expression: &Expr) {
        for label in required.iter().filter(|label| !available.contains(*label)) {
            self.report(format!("{clause} ({label}): no such label in {expression}"));
        }
    }
}

/// Whether the arguments of a call have series of buckets.
fn has_buckets(call: &Call) -> bool {
    let selectors = call.args.args.iter().flat_map(|argument| selectors(argument));
    selectors.filter_map(|selector| selector.name.as_deref()).any(|name| name.contains("bucket"))
}
