//! Registers metrics with Prometheus' own registry, and records the definition of each for the telemetry contract.

use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{Error, Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Registry, TextEncoder};
use serde::Serialize;

use super::labeled::{CounterVec, HistogramVec, IntCounterVec, IntGaugeVec};

/// The upper bounds of every histogram's buckets, in seconds: from 5 ms to 10 s.
pub const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];

/// One metric of the telemetry contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetricDefinition {
    /// The name, such as `http_requests_total`. Its suffix is its unit, after Prometheus' conventions.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it measures.
    pub help: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// The concern that it belongs to, such as `http`.
    pub group: &'static str,
}

/// A registry of metrics that also holds their definitions.
///
/// Each constructor registers the metric that it returns. They fail if the name is not valid, or is registered
/// already.
#[derive(Clone, Debug, Default)]
pub struct Registrar {
    registry: Registry,
    definitions: Vec<MetricDefinition>,
    group: &'static str,
}

impl Registrar {
    /// Assigns the metrics that follow to a concern, such as `http`.
    pub const fn group(&mut self, group: &'static str) -> &mut Self {
        self.group = group;
        self
    }

    /// The definitions of all metrics, by concern; within each in the order of their registration.
    #[must_use]
    pub fn definitions(&self) -> &[MetricDefinition] {
        &self.definitions
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn text(&self) -> Result<String, Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Counts whole numbers.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn int_counter(&mut self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.register(IntCounter::new(name, help)?)
    }

    /// Counts whole numbers, by labels.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn int_counter_vec<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<IntCounterVec<N>, Error> {
        self.register(IntCounterVec::unregistered(name, help, labels)?)
    }

    /// Counts amounts, by labels.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn counter_vec<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<CounterVec<N>, Error> {
        self.register(CounterVec::unregistered(name, help, labels)?)
    }

    /// Holds a whole number that goes up and down.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn int_gauge(&mut self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.register(IntGauge::new(name, help)?)
    }

    /// Holds an amount that goes up and down.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn gauge(&mut self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.register(Gauge::new(name, help)?)
    }

    /// Holds whole numbers that go up and down, by labels.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn int_gauge_vec<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<IntGaugeVec<N>, Error> {
        self.register(IntGaugeVec::unregistered(name, help, labels)?)
    }

    /// Observes durations in seconds, in buckets from 5 ms to 10 s.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn histogram(&mut self, name: &str, help: &str) -> Result<Histogram, Error> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))?)
    }

    /// Observes durations in seconds, in buckets from 5 ms to 10 s, by labels.
    ///
    /// # Errors
    /// When the metric cannot be registered.
    pub fn histogram_vec<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<HistogramVec<N>, Error> {
        let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        self.register(HistogramVec::new(prometheus::HistogramVec::new(options, &labels)?))
    }

    /// Registers any other collector of Prometheus.
    ///
    /// # Errors
    /// When it cannot be registered.
    pub fn register<C: Collector + Clone + 'static>(&mut self, collector: C) -> Result<C, Error> {
        self.describe(&collector);
        self.export(collector.clone())?;
        Ok(collector)
    }

    /// Records the definition of a metric that not every process exports.
    pub(super) fn describe(&mut self, collector: &impl Collector) {
        let families = collector.collect();
        for description in collector.desc() {
            let family = families.iter().find(|family| family.name() == description.fq_name);
            let kind = match family.map(|family| family.get_field_type()) {
                Some(MetricType::COUNTER) => "counter",
                Some(MetricType::HISTOGRAM) => "histogram",
                _ => "gauge",
            };
            let fixed = description.const_label_pairs.iter().map(|label| label.name().to_owned());
            let definition = MetricDefinition {
                name: description.fq_name.clone(),
                kind,
                help: description.help.clone(),
                labels: fixed.chain(description.variable_labels.iter().cloned()).collect(),
                group: self.group,
            };
            let last = self.definitions.iter().rposition(|other| other.group == self.group);
            self.definitions.insert(last.map_or(self.definitions.len(), |last| last + 1), definition);
        }
    }

    /// Exports a metric that was described before.
    pub(super) fn export(&self, collector: impl Collector + 'static) -> Result<(), Error> {
        self.registry.register(Box::new(collector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_metric_has_a_definition() {
        let mut registrar = Registrar::default();
        registrar.group("shop").int_counter_vec("sold_total", "Items sold.", ["product"]).unwrap();
        registrar.histogram("wait_seconds", "Time in the queue.").unwrap();
        registrar.int_gauge("open", "Open shops.").unwrap();
        let of = |name: &str, kind, help: &str, labels: &[&str]| MetricDefinition {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            labels: labels.iter().map(ToString::to_string).collect(),
            group: "shop",
        };
        let expected = [
            of("sold_total", "counter", "Items sold.", &["product"]),
            of("wait_seconds", "histogram", "Time in the queue.", &[]),
            of("open", "gauge", "Open shops.", &[]),
        ];
        assert_eq!(registrar.definitions(), expected);
    }

    #[test]
    fn definitions_of_a_concern_stand_together() {
        let mut registrar = Registrar::default();
        for (group, name) in [("shop", "open"), ("till", "cash"), ("shop", "closed")] {
            registrar.group(group).int_gauge(name, "A gauge.").unwrap();
        }
        let names: Vec<_> = registrar.definitions().iter().map(|metric| &*metric.name).collect();
        assert_eq!(names, ["open", "closed", "cash"]);
    }

    #[test]
    fn a_name_is_registered_once() {
        let mut registrar = Registrar::default();
        registrar.int_gauge("open", "Open shops.").unwrap();
        assert!(registrar.int_gauge("open", "Shops that are open.").is_err());
    }
}
