//! How often a cache in memory helps.

use metrics::{Counter, counter};

/// The counters `stoa_cache_requests_total{cache, outcome}` of one cache, looked up once: a hit costs less than finding
/// its counter.
#[derive(Clone)]
pub struct CacheUse {
    hits: Counter,
    misses: Counter,
}

impl CacheUse {
    /// The counters of the cache of that name, such as `verified_tokens`. Both are there from now on, at zero.
    #[must_use]
    pub fn of(cache: &'static str) -> Self {
        let counter = |outcome| counter!("stoa_cache_requests_total", "cache" => cache, "outcome" => outcome);
        let this = Self {
            hits: counter("hit"),
            misses: counter("miss"),
        };
        this.hits.increment(0);
        this.misses.increment(0);
        this
    }

    /// The cache had it.
    pub fn hit(&self) {
        self.hits.increment(1);
    }

    /// It had to be fetched or worked out.
    pub fn miss(&self) {
        self.misses.increment(1);
    }
}
