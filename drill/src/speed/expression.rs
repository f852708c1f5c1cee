//! Divides the durations in PromQL expressions.

use anyhow::{Context, Result, ensure};
use promql_parser::parser::{Expr, Offset, VectorSelector};

use super::Speed;
use crate::promql::parse;

impl Speed {
    /// Divides every range, offset and step in a PromQL expression.
    ///
    /// The result is parsed again and compared with the divided expression, because the printer of the parser might lose
    /// something.
    ///
    /// # Errors
    /// The expression cannot be parsed or divided, or its printed form differs.
    pub fn divide_expression(self, expression: &str) -> Result<String> {
        let mut divided = parse(expression)?;
        self.divide_in(&mut divided).with_context(|| expression.to_owned())?;
        let printed = divided.to_string();
        ensure!(parse(&printed)? == divided, "the parser prints another expression than {expression}");
        Ok(printed)
    }

    fn divide_in(self, expression: &mut Expr) -> Result<()> {
        match expression {
            Expr::Aggregate(aggregate) => {
                if let Some(parameter) = &mut aggregate.param {
                    self.divide_in(parameter)?;
                }
                self.divide_in(&mut aggregate.expr)
            }
            Expr::Unary(unary) => self.divide_in(&mut unary.expr),
            Expr::Binary(binary) => {
                self.divide_in(&mut binary.lhs)?;
                self.divide_in(&mut binary.rhs)
            }
            Expr::Paren(paren) => self.divide_in(&mut paren.expr),
            Expr::Subquery(subquery) => {
                subquery.range = self.divide_to_nonzero(subquery.range)?;
                subquery.step = subquery.step.map(|step| self.divide_to_nonzero(step)).transpose()?;
                self.divide_offset(&mut subquery.offset)?;
                self.divide_in(&mut subquery.expr)
            }
            Expr::Call(call) => call.args.args.iter_mut().try_for_each(|argument| self.divide_in(argument)),
            Expr::VectorSelector(selector) => self.divide_selector(selector),
            Expr::MatrixSelector(matrix) => {
                matrix.range = self.divide_to_nonzero(matrix.range)?;
                self.divide_selector(&mut matrix.vs)
            }
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(()),
        }
    }

    /// Sorts the matchers as the printer does, so that both expressions can be compared. Their order has no meaning.
    fn divide_selector(self, selector: &mut VectorSelector) -> Result<()> {
        selector.matchers.matchers.sort_by_key(ToString::to_string);
        self.divide_offset(&mut selector.offset)
    }

    fn divide_offset(self, offset: &mut Option<Offset>) -> Result<()> {
        if let Some(Offset::Pos(duration) | Offset::Neg(duration)) = offset {
            *duration = self.divide_to_nonzero(*duration)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_30(expression: &str) -> String {
        "30".parse::<Speed>().unwrap().divide_expression(expression).unwrap()
    }

    #[test]
    fn ranges_are_divided_and_thresholds_are_not() {
        assert_eq!(
            at_30(r#"sum by (job) (rate(http_requests_total{status=~"5.."}[5m])) > 0.05"#),
            r#"sum by (job) (rate(http_requests_total{status=~"5.."}[10s])) > 0.05"#
        );
        assert_eq!(at_30("outbox_oldest_age_seconds > 60"), "outbox_oldest_age_seconds > 60");
    }

    #[test]
    fn offsets_subqueries_and_their_steps_are_divided() {
        assert_eq!(at_30("up offset 1h"), "up offset 2m");
        assert_eq!(at_30("up offset -1m"), "up offset -2s");
        assert_eq!(
            at_30("max_over_time(rate(a_total[2m])[1h:30s] offset 5m)"),
            "max_over_time(rate(a_total[4s])[2m:1s] offset 10s)"
        );
        assert_eq!(at_30("max_over_time(a[1h:])"), "max_over_time(a[2m:])");
        assert_eq!(
            at_30("topk(scalar(count(a offset 1m)), rate(b[1m]))"),
            "topk(scalar(count(a offset 2s)), rate(b[2s]))"
        );
    }

    /// `divide_expression` checks every expression at run time. This test shows that the check accepts matching, grouping,
    /// precedence, strings and `bool`.
    #[test]
    fn the_rest_of_an_expression_is_unchanged() {
        for expression in [
            r#"a{x="1", y!~"(b|c).*"} / on (x) group_left (z) (b + c) * 2 > bool 1"#,
            r#"label_replace(up, "service", "$1", "job", "(.*)-\\d+")"#,
            "histogram_quantile(0.95, sum by (le, endpoint) (a_bucket)) > 1 and on (endpoint) sum(b) > 1e-05",
            "sum without (instance) (a) unless absent(b)",
            "-(a - b) ^ 2 or vector(0)",
        ] {
            let printed = at_30(expression);
            assert_eq!(parse(&printed).unwrap(), parse(expression).unwrap(), "{printed}");
        }
        assert_eq!(at_30(r#"a{y="1", x=~"1|1[.]0"}"#), r#"a{x=~"1|1[.]0",y="1"}"#);
    }

    #[test]
    fn an_error_names_the_invalid_expression() {
        let error = Speed::NORMAL.divide_expression("rate(a[5m]").unwrap_err();
        assert!(error.to_string().contains("rate(a[5m]"), "{error}");
    }
}
