//! Labels with a cap on their number of values.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use prometheus::core::{Collector, Desc, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;

use super::Labeled;

/// A label with many possible values, of which the most active ones have series of their own; the rest count under
/// `other`. However many values there are, a scrape stays small.
///
/// Free places go to the values that come first. Once a minute, a value without a place takes that of one which was
/// seen less than half as often lately; what a value did counts half after each minute. So neither the order of
/// arrival nor a crowd of values that are seen once decides, and two values of similar activity do not alternate.
///
/// Four times as many values as have places are counted. A new value beyond that replaces the one that was seen least,
/// and continues its count: the Space-Saving algorithm (Metwally, Agrawal, El Abbadi 2005), which never misses a value
/// that is seen often.
///
/// A value that loses its place loses its series. Its counts begin again at zero when it gets a place again, as after a
/// restart: use `rate` or `increase` of each series before `sum`.
#[derive(Clone, Debug)]
pub struct CappedLabel {
    values: Arc<RwLock<Values>>,
}

/// The values that are counted.
#[derive(Debug)]
struct Values {
    cap: usize,
    counted: HashMap<String, Value>,
    placed: usize,
    reviewed: Instant,
}

#[derive(Debug, Default)]
struct Value {
    /// How often it was seen; halved at each review.
    seen: AtomicU64,
    has_place: bool,
}

/// How often places are assigned anew.
const REVIEW_PERIOD: Duration = Duration::from_mins(1);

/// How many values are counted for each place.
const COUNTED_PER_PLACE: usize = 4;

impl CappedLabel {
    /// Stands for all values without a place.
    pub const OTHER: &str = "other";

    /// A label of which `cap` values have series of their own.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        let values = Values { cap, counted: HashMap::new(), placed: 0, reviewed: Instant::now() };
        Self { values: Arc::new(RwLock::new(values)) }
    }

    /// Counts an observation of the value. Returns the value itself, or `other`.
    pub fn of<'a>(&self, value: &'a str) -> &'a str {
        self.of_at(value, Instant::now())
    }

    fn of_at<'a>(&self, value: &'a str, now: Instant) -> &'a str {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let has_place = match values.counted.get(value) {
            Some(known) if !values.is_review_due(now) => known.see(),
            _ => {
                drop(values);
                let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
                if values.is_review_due(now) {
                    values.review(now);
                }
                values.see(value)
            }
        };
        if has_place { value } else { Self::OTHER }
    }

    /// Whether series of this value are exported.
    #[must_use]
    pub fn exports(&self, value: &str) -> bool {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        value == Self::OTHER || values.counted.get(value).is_some_and(|known| known.has_place)
    }
}

impl Value {
    /// Counts an observation. Returns whether the value has a place.
    fn see(&self) -> bool {
        self.seen.fetch_add(1, Ordering::Relaxed);
        self.has_place
    }

    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Values {
    fn is_review_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.reviewed) >= REVIEW_PERIOD
    }

    /// Counts an observation of a value that may be new. Returns whether the value has a place.
    fn see(&mut self, value: &str) -> bool {
        if let Some(known) = self.counted.get(value) {
            return known.see();
        }
        let has_place = self.placed < self.cap;
        let mut seen = 1;
        if has_place {
            self.placed += 1;
        } else if self.counted.len() >= self.cap * COUNTED_PER_PLACE {
            let waiting = self.counted.iter().filter(|(_, known)| !known.has_place);
            let rarest = waiting.min_by_key(|(_, known)| known.seen()).map(|(value, _)| value.clone());
            let replaced = rarest.and_then(|rarest| self.counted.remove(&rarest));
            seen += replaced.map_or(0, |replaced| replaced.seen());
        }
        self.counted.insert(value.to_owned(), Value { seen: AtomicU64::new(seen), has_place });
        has_place
    }

    /// Moves places from the least active values to more active ones.
    fn review(&mut self, now: Instant) {
        self.reviewed = now;
        let (mut placed, mut waiting): (Vec<_>, Vec<_>) =
            self.counted.values_mut().partition(|value| value.has_place);
        placed.sort_by_key(|value| value.seen());
        waiting.sort_by_key(|value| std::cmp::Reverse(value.seen()));
        for (idle, active) in placed.into_iter().zip(waiting) {
            if active.seen() <= 2 * idle.seen() {
                break;
            }
            (idle.has_place, active.has_place) = (false, true);
        }
        self.counted.retain(|_, value| value.has_place || value.seen() > 1);
        for value in self.counted.values_mut() {
            *value.seen.get_mut() /= 2;
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

impl<B: MetricVecBuilder, const N: usize> Collector for Capped<Labeled<MetricVec<B>, N>> {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    /// Collects the series, and removes those of values that lost their place.
    fn collect(&self) -> Vec<MetricFamily> {
        self.family.collect_retained(|values| values.first().is_none_or(|first| self.first.exports(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{IntCounterVec, Registrar};

    /// A label, and the time of its last review.
    struct Fixture {
        label: CappedLabel,
        now: Instant,
    }

    impl Fixture {
        fn new(cap: usize) -> Self {
            Self { label: CappedLabel::new(cap), now: Instant::now() }
        }

        /// Counts observations. Returns whether the value has a place at the last one.
        fn see(&self, value: &str, times: usize) -> bool {
            let mut has_place = false;
            for _ in 0..times {
                has_place = self.label.of_at(value, self.now) == value;
            }
            has_place
        }

        /// The observation of `value` that comes a minute later, with which places are assigned anew.
        fn see_after_a_minute(&mut self, value: &str) -> bool {
            self.now += REVIEW_PERIOD;
            self.see(value, 1)
        }

        fn counted(&self) -> usize {
            self.label.values.read().unwrap().counted.len()
        }
    }

    #[test]
    fn free_places_go_to_the_values_that_come_first() {
        let label = CappedLabel::new(2);
        assert_eq!(["a", "b", "c", "a", "c"].map(|value| label.of(value)), ["a", "b", "other", "a", "other"]);
    }

    #[test]
    fn an_active_value_takes_the_place_of_one_that_was_seen_once() {
        let mut label = Fixture::new(2);
        assert!(label.see("new 1", 1) && label.see("new 2", 1));
        assert!(!label.see("active", 10));
        assert!(label.see_after_a_minute("active"));
        assert_eq!(["new 1", "new 2"].iter().filter(|value| label.label.exports(value)).count(), 1);
    }

    #[test]
    fn values_of_similar_activity_do_not_alternate() {
        let mut label = Fixture::new(1);
        for _ in 0..10 {
            assert!(label.see("first", 10));
            assert!(!label.see("second", 19));
            label.now += REVIEW_PERIOD;
        }
    }

    #[test]
    fn a_value_that_falls_silent_frees_its_place_for_any_other() {
        let mut label = Fixture::new(1);
        assert!(label.see("silent", 1000));
        let minutes = (1..).find(|_| label.see_after_a_minute("slow")).unwrap();
        assert!(minutes <= 11, "{minutes}");
    }

    #[test]
    fn a_crowd_of_new_values_takes_no_place_from_active_ones_and_no_memory() {
        let mut label = Fixture::new(2);
        for minute in 0..5 {
            for n in 0..1000 {
                label.see(&format!("new {minute} {n}"), 1);
                label.see("active 1", 1);
                label.see("active 2", 1);
            }
            assert!(label.counted() <= 2 * COUNTED_PER_PLACE);
            label.now += REVIEW_PERIOD;
        }
        assert!(label.see("active 1", 1) && label.see("active 2", 1));
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
        let values = label.values.read().unwrap();
        assert_eq!(values.counted.values().filter(|value| value.has_place).count(), 10);
    }

    #[test]
    fn a_value_that_lost_its_place_has_no_series() {
        let mut label = Fixture::new(1);
        let mut registrar = Registrar::default();
        let family = IntCounterVec::unregistered("calls_total", "Calls.", ["tenant", "endpoint"]).unwrap();
        let calls = registrar.register(Capped::new(family, label.label.clone())).unwrap();
        for tenant in ["silent", "active"] {
            calls.with([tenant, "/a"]).inc();
            calls.with([tenant, "/b"]).inc();
        }
        label.see("active", 10);
        label.see_after_a_minute("active");
        calls.with(["active", "/a"]).inc();
        let text = registrar.text().unwrap();
        let mut series: Vec<_> = text.lines().filter(|line| line.starts_with("calls_total")).collect();
        series.sort_unstable();
        assert_eq!(
            series,
            [
                r#"calls_total{endpoint="/a",tenant="active"} 1"#,
                r#"calls_total{endpoint="/a",tenant="other"} 1"#,
                r#"calls_total{endpoint="/b",tenant="other"} 1"#,
            ]
        );
    }
}
