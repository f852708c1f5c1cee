//! The response body of paginated lists.

use glasshouse_domain::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    items: Vec<T>,
    /// The `cursor` of the next page; null on the last page.
    #[schema(value_type = Option<super::schemas::Cursor>)]
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The body of a page.
    pub(super) fn of<D: Into<T>>(page: Page<D>) -> Self {
        let next_cursor = page.next.map(|cursor| cursor.encode());
        Self { items: page.items.into_iter().map(Into::into).collect(), next_cursor }
    }
}
