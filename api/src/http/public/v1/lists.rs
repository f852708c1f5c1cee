use glasshouse_domain::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// A part of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The items.
    items: Vec<T>,
    /// Send this as `cursor` for the next part; null at the end.
    next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page as its body.
    pub(super) fn of<D: Into<T>>(page: Page<D>) -> Self {
        let next_cursor = page.next.map(|cursor| cursor.encode());
        Self { items: page.items.into_iter().map(Into::into).collect(), next_cursor }
    }
}
