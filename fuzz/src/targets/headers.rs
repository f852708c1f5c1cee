//! Headers of a request that may come more than once.

use opentelemetry::propagation::Extractor;

/// The names and values.
pub(super) struct Headers<'a>(pub(super) Vec<(&'a str, &'a str)>);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> =
            self.0.iter().filter(|(name, _)| *name == key).map(|(_, value)| *value).collect();
        (!values.is_empty()).then_some(values)
    }
}
