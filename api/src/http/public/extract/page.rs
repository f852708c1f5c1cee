use glasshouse_domain::page::{Cursor, PageRequest};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::config::Limits;
use crate::http::problem::{Fields, Problem};

/// Which part of a list to show.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next_cursor` of the page before; none for the first page.
    pub cursor: Option<String>,
    /// The most items; 20 by default.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u64>,
}

impl PageQuery {
    /// The request, within the limits.
    ///
    /// # Errors
    /// When the cursor is none of ours or the limit is out of bounds.
    pub fn parse(&self, limits: &Limits) -> Result<PageRequest, Problem> {
        let mut fields = Fields::default();
        let after = self.cursor.as_deref().map(Cursor::decode).transpose();
        let after = fields.take("cursor", after).flatten();
        let limit = self.limit.unwrap_or(limits.default_page_size);
        if !(1..=limits.max_page_size).contains(&limit) {
            fields.refuse("limit", format!("must be from 1 to {}", limits.max_page_size));
        }
        if fields.are_fine() { Ok(PageRequest { after, limit }) } else { Err(fields.problem()) }
    }
}
