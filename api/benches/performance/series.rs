//! Measurements that are repeated: their median and their spread.

use serde::Serialize;

/// The values of the rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

/// Their median, lowest and highest value.
#[derive(Clone, Copy, Debug, Serialize, serde::Deserialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Series {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The ratio of each value to that of `other` in the same round.
    pub(crate) fn ratio_to(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(value, other)| value / other).collect()
    }

    /// The difference of each value to that of `other` in the same round.
    pub(crate) fn less(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(value, other)| value - other).collect()
    }

    /// Each value times a factor.
    pub(crate) fn times(&self, factor: f64) -> Self {
        self.0.iter().map(|value| value * factor).collect()
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        Summary { median: values[values.len() / 2], low: values[0], high: values[values.len() - 1] }
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Summary {
    /// The median, and the spread in parentheses, with this number of decimals.
    pub(crate) fn text(&self, decimals: usize) -> String {
        let Self { median, low, high } = self;
        format!("{median:.decimals$} ({low:.decimals$}–{high:.decimals$})")
    }
}
