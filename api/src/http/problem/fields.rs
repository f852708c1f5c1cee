use std::fmt::Display;

use actix_web::http::StatusCode;

use super::{FieldError, Problem};

/// Parses the fields of a request and collects what is wrong with them, so that a client sees all of it at
/// once.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// The parsed value, or `None` after noting what is wrong with it.
    pub fn take<T, E: Display>(&mut self, field: impl Into<String>, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.refuse(field, error)).ok()
    }

    /// Notes that a field is wrong.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl Display) {
        self.0.push(FieldError { field: field.into(), message: message.to_string() });
    }

    /// Whether nothing was wrong so far.
    pub const fn are_fine(&self) -> bool {
        self.0.is_empty()
    }

    /// The answer to a request with these fields.
    pub fn problem(self) -> Problem {
        let names: Vec<_> = self.0.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("please correct: {}", names.join(", "));
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", detail);
        Problem { errors: self.0, ..problem }
    }

    /// The answer to a request with one wrong field.
    pub fn only(field: &str, message: impl Display) -> Problem {
        let mut fields = Self::default();
        fields.refuse(field, message);
        fields.problem()
    }
}
