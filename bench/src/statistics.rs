//! Medians and percentiles.

use anyhow::Context;
use hdrhistogram::Histogram;
use std::time::Duration;

/// The middle of the repetitions; the mean of the middle two when they are even in number.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    match middle.checked_sub(1).and_then(|lower| sorted.get(lower)) {
        Some(lower) if sorted.len().is_multiple_of(2) => f64::midpoint(*lower, upper),
        _ => upper,
    }
}

/// Durations, to three digits, from a nanosecond to an hour.
#[derive(Debug, Clone)]
pub struct Durations {
    histogram: Histogram<u64>,
}

impl Default for Durations {
    fn default() -> Self {
        Self::new()
    }
}

impl Durations {
    /// None yet.
    #[must_use]
    #[allow(clippy::expect_used, reason = "the bounds are constants and lawful")]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("lawful bounds");
        Self { histogram }
    }

    /// Adds one.
    pub fn add(&mut self, duration: Duration) {
        self.add_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds one, in nanoseconds.
    pub fn add_nanos(&mut self, nanos: u64) {
        self.histogram.saturating_record(nanos);
    }

    /// Adds all of another.
    ///
    /// # Errors
    /// Never in practice: all have the same bounds.
    pub fn merge(&mut self, other: &Self) -> anyhow::Result<()> {
        self.histogram.add(&other.histogram).context("adding histograms")
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration that `share` (0 to 1) of them do not exceed, in nanoseconds.
    #[must_use]
    pub fn nanos_at(&self, share: f64) -> f64 {
        self.histogram.value_at_quantile(share) as f64
    }

    /// The same in milliseconds.
    #[must_use]
    pub fn millis_at(&self, share: f64) -> f64 {
        self.nanos_at(share) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn percentiles_count_from_the_shortest() {
        let mut durations = Durations::new();
        for millis in 1..=100 {
            durations.add(Duration::from_millis(millis));
        }
        assert!((durations.millis_at(0.5) - 50.0).abs() < 0.2);
        assert!((durations.millis_at(0.99) - 99.0).abs() < 0.2);
    }
}
