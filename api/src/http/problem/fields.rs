//! Validation of the fields of a request.

use std::fmt::Display;

use actix_web::http::StatusCode;

use super::{FieldError, Problem};

/// Collects the errors of all fields of a request, so that a client gets all of them at once.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// The parsed value, or `None` after recording its error.
    pub fn take<T, E: Display>(&mut self, field: impl Into<String>, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.refuse(field, error)).ok()
    }

    /// Records the error of a field.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl Display) {
        self.0.push(FieldError { field: field.into(), message: message.to_string() });
    }

    /// Whether no error was recorded so far.
    pub const fn are_valid(&self) -> bool {
        self.0.is_empty()
    }

    /// The problem document that lists all errors.
    pub fn problem(self) -> Problem {
        let names: Vec<_> = self.0.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("invalid fields: {}", names.join(", "));
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", detail);
        Problem { errors: self.0, ..problem }
    }

    /// The problem document for a single invalid field.
    pub fn only(field: &str, message: impl Display) -> Problem {
        let mut fields = Self::default();
        fields.refuse(field, message);
        fields.problem()
    }
}
