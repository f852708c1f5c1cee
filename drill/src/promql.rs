//! Parses PromQL, and finds the selectors and threshold conditions of an expression.

use anyhow::{Result, anyhow};
use promql_parser::parser::{BinaryExpr, Expr, VectorSelector};

/// A comparison in the expression of an alert, such as `rate(errors_total[5m]) > 0.05`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The left side.
    pub value: Expr,
    /// `true` for `>` and `>=`, `false` for `<` and `<=`, `None` for `==` and `!=`.
    pub above: Option<bool>,
    /// The right side.
    pub threshold: f64,
    /// The whole condition in PromQL.
    pub text: String,
}

/// Parses PromQL.
///
/// # Errors
/// A syntax error. The message includes the expression.
pub fn parse(expression: &str) -> Result<Expr> {
    promql_parser::parser::parse(expression).map_err(|error| anyhow!("{error}: {expression}"))
}

/// Whether an expression evaluates to a scalar.
pub fn is_scalar(expression: &Expr) -> bool {
    match expression {
        Expr::Paren(paren) => is_scalar(&paren.expr),
        Expr::Unary(unary) => is_scalar(&unary.expr),
        Expr::Binary(binary) => is_scalar(&binary.lhs) && is_scalar(&binary.rhs),
        Expr::Call(call) => matches!(call.func.name, "scalar" | "time" | "pi"),
        Expr::NumberLiteral(_) => true,
        _ => false,
    }
}

/// The direct operands of an expression.
pub fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Aggregate(aggregate) => {
            aggregate.param.as_deref().into_iter().chain([aggregate.expr.as_ref()]).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// All selectors of an expression.
pub fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    match expression {
        Expr::VectorSelector(selector) => vec![selector],
        Expr::MatrixSelector(matrix) => vec![&matrix.vs],
        _ => children(expression).into_iter().flat_map(selectors).collect(),
    }
}

/// The comparisons with a constant that the expression of an alert consists of.
pub fn conditions(expression: &Expr) -> Vec<Condition> {
    match expression {
        Expr::Paren(paren) => conditions(&paren.expr),
        Expr::Binary(binary) => match (binary.op.to_string().as_str(), constant(&binary.rhs)) {
            ("and" | "or" | "unless", _) => {
                [&binary.lhs, &binary.rhs].into_iter().flat_map(|side| conditions(side)).collect()
            }
            (">" | ">=", Some(threshold)) => vec![condition(binary, Some(true), threshold)],
            ("<" | "<=", Some(threshold)) => vec![condition(binary, Some(false), threshold)],
            ("==" | "!=", Some(threshold)) => vec![condition(binary, None, threshold)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn condition(binary: &BinaryExpr, above: Option<bool>, threshold: f64) -> Condition {
    let value = (*binary.lhs).clone();
    Condition { value, above, threshold, text: Expr::Binary(binary.clone()).to_string() }
}

/// The value of a constant expression such as `14.4 * 0.001`.
fn constant(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Paren(paren) => constant(&paren.expr),
        Expr::Unary(unary) => constant(&unary.expr).map(|value| -value),
        Expr::Binary(binary) => {
            let (left, right) = (constant(&binary.lhs)?, constant(&binary.rhs)?);
            match binary.op.to_string().as_str() {
                "*" => Some(left * right),
                "/" => Some(left / right),
                "+" => Some(left + right),
                "-" => Some(left - right),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conditions_of_an_alert_are_found() {
        let expression = parse("(a:ratio5m > (6 * 2) and a:ratio1h > 0.0144) unless b < 3").unwrap();
        let found = conditions(&expression);
        let brief: Vec<_> =
            found.iter().map(|one| (one.value.to_string(), one.above, one.threshold)).collect();
        assert_eq!(
            brief,
            [
                ("a:ratio5m".to_owned(), Some(true), 12.0),
                ("a:ratio1h".to_owned(), Some(true), 0.0144),
                ("b".to_owned(), Some(false), 3.0),
            ]
        );
        assert_eq!(conditions(&parse("up == 0").unwrap())[0].above, None);
        assert!(conditions(&parse("a > b").unwrap()).is_empty());
    }

    #[test]
    fn every_selector_is_found() {
        let expression = parse("topk(scalar(a), sum(rate(b[5m]))) / max_over_time(c[5m:1m]) or -d").unwrap();
        let names: Vec<_> = selectors(&expression).into_iter().map(|one| one.name.clone().unwrap()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}
