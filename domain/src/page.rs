//! Cursor pagination: newest first, by id. Ids are UUIDv7, so they sort by creation time.

use uuid::Uuid;

/// A request for one page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The position after which the page starts; `None` for the first page.
    pub after: Option<Cursor>,
    /// The maximum number of items.
    pub limit: u64,
}

/// A position in a list: the id of the last item before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Uuid);

/// The text is not a cursor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor: use the `next_cursor` of the previous page")]
pub struct CursorError;

impl Cursor {
    /// The regular expression that all cursors match.
    pub const PATTERN: &str = "^c1[0-9A-Fa-f]{32}$";

    /// The position after the item with this id.
    #[must_use]
    pub const fn after(id: Uuid) -> Self {
        Self(id)
    }

    /// Decodes the result of [`Cursor::encode`].
    ///
    /// # Errors
    /// [`CursorError`] for any other text.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let hex = text.strip_prefix("c1").filter(|hex| hex.len() == 32).ok_or(CursorError)?;
        let id = Uuid::try_parse(hex).map_err(|_| CursorError)?;
        Ok(Self(id))
    }

    /// The cursor as text, opaque to clients. It begins with a version, so that the encoding can change.
    #[must_use]
    pub fn encode(self) -> String {
        format!("c1{}", self.0.simple())
    }

    /// The id of the last item before this position.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The position of the next page; `None` on the last page.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page of at most `limit` of the `rows`, which were fetched with the limit `limit + 1`: the additional
    /// row shows that another page exists.
    #[must_use]
    pub fn from_overfetched(mut rows: Vec<T>, limit: u64, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|last| Cursor::after(id(last)));
        Self { items: rows, next }
    }

    /// Converts each item.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }

    /// Converts each item.
    ///
    /// # Errors
    /// The first error of a conversion.
    pub fn try_map<U, E>(self, convert: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let items = self.items.into_iter().map(convert).collect::<Result<_, E>>()?;
        Ok(Page { items, next: self.next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::accepts;

    proptest! {
        #[test]
        fn a_cursor_round_trips(id in any::<u128>()) {
            let cursor = Cursor::after(Uuid::from_u128(id));
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn the_rule_is_that_of_the_pattern(text in "c1[0-9A-Fa-f]{30,34}|[c1g]{34}|.*") {
            prop_assert_eq!(Cursor::decode(&text).is_ok(), accepts(Cursor::PATTERN, 0..=usize::MAX, &text));
        }

        #[test]
        fn all_pages_together_hold_each_item_once(count in 0_u128..60, limit in 1_u64..10) {
            let all: Vec<Uuid> = (0..count).rev().map(Uuid::from_u128).collect();
            let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
            loop {
                let rest = all.iter().copied().filter(|id| after.is_none_or(|cursor| *id < cursor.id()));
                let page = Page::from_overfetched(rest.take(limit as usize + 1).collect(), limit, |id| *id);
                seen.extend(page.items);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
