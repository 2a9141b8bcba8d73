//! Request metrics, with handles that are registered once per endpoint.

use dashmap::DashMap;
use foldhash::fast::RandomState;
use http::Method;
use metrics::{Counter, Histogram};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Endpoints with a series of their own; tenants may add rules, so their number needs a bound.
const MAX_SERIES: usize = 10_000;

const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other",
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// All series. The label `route` is the pattern of the endpoint's rule, such as `/api/customers/{id}`.
pub(super) struct Metrics {
    series: DashMap<Box<str>, Arc<Series>, RandomState>,
    unmatched: Arc<Series>,
    other: Arc<Series>,
    authorization: Histogram,
}

/// The handles of one endpoint.
pub(super) struct Series {
    rule: Arc<str>,
    seconds: Histogram,
    requests: [[OnceLock<Counter>; CLASSES.len()]; METHODS.len()],
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            series: DashMap::with_hasher(RandomState::default()),
            unmatched: Arc::new(Series::new("none")),
            other: Arc::new(Series::new("other")),
            authorization: metrics::histogram!("stoa_authorization_seconds"),
        }
    }

    /// Records how long it took to verify the caller, find the route and decide the endpoint.
    pub(super) fn authorized(&self, elapsed: Duration) {
        self.authorization.record(elapsed);
    }

    /// The series of an endpoint.
    pub(super) fn series(&self, rule: &str) -> Arc<Series> {
        if let Some(series) = self.series.get(rule) {
            return series.clone();
        }
        if self.series.len() >= MAX_SERIES {
            return self.other.clone();
        }
        self.series
            .entry(rule.into())
            .or_insert_with(|| Arc::new(Series::new(rule)))
            .clone()
    }

    /// The series of requests that no rule was found for.
    pub(super) fn unmatched(&self) -> &Arc<Series> {
        &self.unmatched
    }
}

impl Series {
    fn new(rule: &str) -> Self {
        let rule: Arc<str> = rule.into();
        Self {
            seconds: metrics::histogram!("stoa_http_request_seconds", "route" => rule.clone()),
            rule,
            requests: Default::default(),
        }
    }

    /// The pattern of the endpoint's rule.
    pub(super) fn rule(&self) -> &str {
        &self.rule
    }

    /// Counts one request.
    pub(super) fn count(&self, method: &Method, status: u16, elapsed: Duration) {
        self.seconds.record(elapsed);
        let method = METHODS
            .iter()
            .position(|known| *known == method.as_str())
            .unwrap_or(METHODS.len() - 1);
        let class = usize::from(status / 100).saturating_sub(1).min(CLASSES.len() - 1);
        let counter = self.requests.get(method).and_then(|row| row.get(class));
        if let (Some(counter), Some(method), Some(class)) = (counter, METHODS.get(method), CLASSES.get(class))
        {
            counter
                .get_or_init(|| {
                    metrics::counter!("stoa_http_requests_total",
                        "route" => self.rule.clone(), "method" => *method, "status_class" => *class)
                })
                .increment(1);
        }
    }
}
