//! Labels with a cap on their number of values.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::{Collector, Desc, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;

use super::Labeled;

/// A label with many possible values, of which the first ones have series of their own; the rest count under
/// `other`. However many values there are, a scrape stays small, and counts still add up.
#[derive(Clone, Debug)]
pub struct CappedLabel {
    known: Arc<RwLock<HashSet<String>>>,
    cap: usize,
}

impl CappedLabel {
    /// Stands for all values beyond the cap.
    pub const OTHER: &str = "other";

    /// A label of which the first `cap` values have series of their own.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { known: Arc::default(), cap }
    }

    /// The value itself, or `other`.
    pub fn of<'a>(&self, value: &'a str) -> &'a str {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(value) {
            return value;
        }
        if known.len() >= self.cap {
            return Self::OTHER;
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have taken the last place in between.
        if known.len() < self.cap || known.contains(value) {
            known.insert(value.to_owned());
            value
        } else {
            Self::OTHER
        }
    }
}

/// A metric family whose first label is capped.
#[derive(Clone, Debug)]
pub struct Capped<F> {
    family: F,
    first: CappedLabel,
}

impl<F> Capped<F> {
    /// A family whose first label is `first`. Several families may have the same label, and so the same values.
    pub const fn new(family: F, first: CappedLabel) -> Self {
        Self { family, first }
    }
}

impl<B: MetricVecBuilder, const N: usize> Capped<Labeled<MetricVec<B>, N>> {
    /// The series with these label values, or that of `other`.
    pub fn with(&self, mut values: [&str; N]) -> B::M {
        if let Some(first) = values.first_mut() {
            *first = self.first.of(first);
        }
        self.family.with(values)
    }
}

impl<F: Collector> Collector for Capped<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.family.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_stay_and_the_rest_is_other() {
        let label = CappedLabel::new(2);
        assert_eq!(["a", "b", "c", "a", "c"].map(|value| label.of(value)), ["a", "b", "other", "a", "other"]);
    }

    #[test]
    fn threads_never_take_more_than_the_cap() {
        let label = CappedLabel::new(10);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let label = &label;
                scope.spawn(move || {
                    for n in 0..100 {
                        label.of(&format!("{thread}-{n}"));
                    }
                });
            }
        });
        assert_eq!(label.known.read().unwrap().len(), 10);
    }
}
