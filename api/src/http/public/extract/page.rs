//! The query parameters of paginated lists.

use glasshouse_domain::page::{Cursor, PageRequest};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::config::Limits;
use crate::http::problem::{Fields, Problem};
use crate::http::public::v1::schemas;

/// The page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next_cursor` of the previous page; absent for the first page.
    #[param(value_type = Option<schemas::Cursor>, inline)]
    pub cursor: Option<String>,
    /// The maximum number of items.
    #[param(minimum = 1)]
    pub limit: Option<u64>,
}

impl PageQuery {
    /// Validates the parameters.
    ///
    /// # Errors
    /// When the cursor is invalid, or the limit is out of range.
    pub fn parse(&self, limits: &Limits) -> Result<PageRequest, Problem> {
        let mut fields = Fields::default();
        let after = self.cursor.as_deref().map(Cursor::decode).transpose();
        let after = fields.take("cursor", after).flatten();
        let limit = self.limit.unwrap_or(limits.default_page_size);
        if !(1..=limits.max_page_size).contains(&limit) {
            fields.refuse("limit", format!("must be from 1 to {}", limits.max_page_size));
        }
        if fields.are_valid() { Ok(PageRequest { after, limit }) } else { Err(fields.problem()) }
    }
}
