//! Cursor pagination: newest first, by id. Ids are UUIDv7, so their order is the order of time.

use uuid::Uuid;

/// Which part of a list somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only what comes after this place in the list.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u64,
}

/// A place in a list: the id of the last item before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Uuid);

/// The text is no cursor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor: use the `next_cursor` of the page before")]
pub struct CursorError;

impl Cursor {
    /// The place behind the item with this id.
    #[must_use]
    pub const fn behind(id: Uuid) -> Self {
        Self(id)
    }

    /// Reads what [`Cursor::encode`] wrote.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let hex = text.strip_prefix("c1").filter(|hex| hex.len() == 32).ok_or(CursorError)?;
        let id = Uuid::try_parse(hex).map_err(|_| CursorError)?;
        Ok(Self(id))
    }

    /// The cursor as a client sees it: opaque, with a version in front so that its form can change.
    #[must_use]
    pub fn encode(self) -> String {
        format!("c1{}", self.0.simple())
    }

    /// The id of the last item before this place.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A page of `rows`, which were fetched with a limit of one more than asked for: that one only tells
    /// that there is more.
    #[must_use]
    pub fn from_overfetched(mut rows: Vec<T>, limit: u64, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|last| Cursor::behind(id(last)));
        Self { items: rows, next }
    }

    /// The same page with every item changed.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_as_written(id in any::<u128>()) {
            let cursor = Cursor::behind(Uuid::from_u128(id));
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn any_other_text_is_refused_and_never_panics(text in ".*") {
            prop_assert!(Cursor::decode(&text).is_err() || text.starts_with("c1"));
        }

        #[test]
        fn walking_all_pages_shows_each_item_once(count in 0_u128..60, limit in 1_u64..10) {
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
