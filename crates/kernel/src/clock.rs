//! The injected clock: every timestamp that is stored or compared comes from here, so that tests can move time.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;

/// The time source of a process. Cheap to clone.
#[derive(Clone)]
pub struct Clock {
    offset: Option<Arc<Mutex<SignedDuration>>>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { offset: None }
    }

    /// A clock that runs with the machine's and can be moved by [`Clock::advance`].
    #[must_use]
    pub fn adjustable() -> Self {
        Self {
            offset: Some(Arc::new(Mutex::new(SignedDuration::ZERO))),
        }
    }

    /// Moves an adjustable clock forward (or back); a system clock ignores it.
    pub fn advance(&self, by: SignedDuration) {
        if let Some(offset) = &self.offset {
            let mut offset = offset.lock();
            *offset = offset.saturating_add(by);
        }
    }

    /// Now, to the microsecond: what PostgreSQL's `timestamptz` can hold, so that a value reads back equal.
    #[must_use]
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let now = match &self.offset {
            Some(offset) => now.saturating_add(*offset.lock()).unwrap_or(now),
            None => now,
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Now in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}
