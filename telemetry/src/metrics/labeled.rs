//! Metric families whose number of labels the compiler checks.

use std::fmt::Debug;

use prometheus::core::{Collector, Desc, MetricVec, MetricVecBuilder};
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{Error, Opts};

/// A metric family with `N` labels: a layer over a `prometheus` vector that takes exactly `N` label values.
///
/// ```
/// use glasshouse_telemetry::metrics::Registrar;
///
/// let mut registrar = Registrar::default();
/// let sold = registrar.int_counter_vec("sold_total", "Items sold.", ["product", "channel"])?;
/// sold.with(["mug", "web"]).inc();
/// # Ok::<_, prometheus::Error>(())
/// ```
///
/// A call with another number of values does not compile:
///
/// ```compile_fail
/// # use glasshouse_telemetry::metrics::Registrar;
/// # let mut registrar = Registrar::default();
/// let sold = registrar.int_counter_vec("sold_total", "Items sold.", ["product", "channel"]).unwrap();
/// sold.with(["mug"]).inc();
/// ```
#[derive(Clone, Debug)]
pub struct Labeled<V, const N: usize>(V);

/// Counts whole numbers, by `N` labels.
pub type IntCounterVec<const N: usize> = Labeled<prometheus::IntCounterVec, N>;
/// Counts amounts that are no whole numbers, by `N` labels.
pub type CounterVec<const N: usize> = Labeled<prometheus::CounterVec, N>;
/// Holds whole numbers that go up and down, by `N` labels.
pub type IntGaugeVec<const N: usize> = Labeled<prometheus::IntGaugeVec, N>;
/// Observes distributions, by `N` labels.
pub type HistogramVec<const N: usize> = Labeled<prometheus::HistogramVec, N>;

impl<B: MetricVecBuilder, const N: usize> Labeled<MetricVec<B>, N> {
    /// Wraps a vector that was made with `N` label names.
    pub(super) const fn new(vector: MetricVec<B>) -> Self {
        Self(vector)
    }

    /// The series with these label values, in the order of the label names. It is created at zero when it is first
    /// asked for.
    pub fn with(&self, values: [&str; N]) -> B::M {
        self.0.with_label_values(&values)
    }

    /// Removes the series with these label values, if there is one: what they name does not exist any more.
    pub fn remove(&self, values: [&str; N]) {
        // It fails only if there is none.
        let _ = self.0.remove_label_values(&values);
    }

    /// Collects the series for which `keep` is true of their label values, and removes all others. The values are in the
    /// order of the label names.
    pub(crate) fn collect_retained(&self, keep: impl Fn(&[&str]) -> bool) -> Vec<MetricFamily> {
        let names: Vec<_> = self.0.desc().iter().flat_map(|desc| &desc.variable_labels).collect();
        let mut families = self.0.collect();
        for family in &mut families {
            let mut series = family.take_metric();
            series.retain(|series| {
                let label = |name: &&String| series.get_label().iter().find(|label| label.name() == **name);
                let values: Vec<_> = names.iter().filter_map(label).map(LabelPair::value).collect();
                let keeps = keep(&values);
                if !keeps {
                    // It fails if another scrape removed the series before.
                    let _ = self.0.remove_label_values(&values);
                }
                keeps
            });
            family.set_metric(series);
        }
        families
    }
}

/// Makes a family that is not registered: a collector that removes series registers itself instead.
macro_rules! unregistered {
    ($($vector:ident),+) => {
        $(impl<const N: usize> Labeled<prometheus::$vector, N> {
            pub(crate) fn unregistered(name: &str, help: &str, labels: [&str; N]) -> Result<Self, Error> {
                Ok(Self(prometheus::$vector::new(Opts::new(name, help), &labels)?))
            }
        })+
    };
}

unregistered!(IntCounterVec, CounterVec, IntGaugeVec);

impl<V: Collector, const N: usize> Collector for Labeled<V, N> {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.collect()
    }
}
