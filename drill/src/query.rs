//! A query together with the place that defines it, so that a problem can name that place.

/// A query of a rule, a dashboard, a data source or a runbook.
#[derive(Clone, Debug)]
pub struct LocatedQuery {
    /// The place that defines it, for messages: the name of a rule, `UID, TITLE` of a panel, or a path.
    pub place: String,
    /// PromQL, LogQL or TraceQL.
    pub expression: String,
}
