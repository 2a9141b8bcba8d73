//! What stands before every call, local or remote: bulkhead, breaker, deadline, metrics.

use super::CallError;
use parking_lot::Mutex;
use std::future::Future;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Calls to one service at a time from this process (RS-01).
const BULKHEAD: usize = 100;
/// Outcomes that the breaker looks back on, and how many it needs before it judges (GW-06).
const WINDOW: usize = 10;
const MINIMUM: u32 = 5;
const OPEN_FOR: Duration = Duration::from_secs(1);

pub(super) struct Guard {
    service: &'static str,
    slots: Semaphore,
    breaker: Mutex<Breaker>,
}

#[derive(Default)]
struct Breaker {
    /// The last outcomes, one bit each, newest lowest; `true` is a failure.
    outcomes: u16,
    seen: u32,
    open_until: Option<Instant>,
    /// After the pause the next outcome decides alone.
    probing: bool,
}

impl Guard {
    pub(super) fn new(service: &'static str) -> Self {
        Self {
            service,
            slots: Semaphore::new(BULKHEAD),
            breaker: Mutex::default(),
        }
    }

    pub(super) async fn run<T>(
        &self,
        name: &'static str,
        deadline: Instant,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let start = Instant::now();
        let result = self.guarded(deadline, work).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(CallError::Refused(_)) => "refused",
            Err(CallError::Unavailable { .. }) => "unavailable",
            Err(CallError::Timeout { .. }) => "timeout",
        };
        metrics::counter!("stoa_mesh_calls_total", "call" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("stoa_mesh_call_seconds", "call" => name).record(start.elapsed());
        result
    }

    async fn guarded<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let service = self.service;
        if self.breaker.lock().is_open(Instant::now()) {
            return Err(CallError::Unavailable {
                service,
                why: "it failed repeatedly just now".into(),
            });
        }
        let _slot = match tokio::time::timeout_at(deadline, self.slots.acquire()).await {
            Ok(Ok(slot)) => slot,
            _ => {
                return Err(CallError::Unavailable {
                    service,
                    why: "100 calls to it are under way".into(),
                });
            }
        };
        let result = match tokio::time::timeout_at(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Timeout { service }),
        };
        // A refusal is an answer; only silence counts against the callee.
        let failed = matches!(
            result,
            Err(CallError::Unavailable { .. } | CallError::Timeout { .. })
        );
        self.breaker.lock().record(failed, Instant::now());
        result
    }
}

impl Breaker {
    fn is_open(&mut self, now: Instant) -> bool {
        match self.open_until {
            Some(until) if now < until => true,
            Some(_) => {
                *self = Self {
                    probing: true,
                    ..Self::default()
                };
                false
            }
            None => false,
        }
    }

    fn record(&mut self, failed: bool, now: Instant) {
        self.outcomes = ((self.outcomes << 1) | u16::from(failed)) & ((1 << WINDOW) - 1);
        self.seen = (self.seen + 1).min(WINDOW as u32);
        let half_failed = self.seen >= MINIMUM && self.outcomes.count_ones() * 2 >= self.seen;
        if failed && (self.probing || half_failed) {
            self.open_until = Some(now + OPEN_FOR);
        }
        self.probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_open_the_breaker_and_time_closes_it() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..4 {
            breaker.record(true, now);
            assert!(!breaker.is_open(now), "fewer than the minimum say nothing");
        }
        breaker.record(true, now);
        assert!(breaker.is_open(now));
        let later = now + OPEN_FOR;
        assert!(!breaker.is_open(later), "half open: the next call is a probe");
        breaker.record(true, later);
        assert!(breaker.is_open(later), "a failed probe opens it again");
        assert!(!breaker.is_open(later + OPEN_FOR));
        breaker.record(false, later + OPEN_FOR);
        assert!(!breaker.is_open(later + OPEN_FOR));
    }

    #[tokio::test]
    async fn an_open_breaker_does_not_ask_the_callee() {
        let guard = Guard::new("customer");
        let far = Instant::now() + Duration::from_secs(60);
        for _ in 0..5 {
            guard.breaker.lock().record(true, far);
        }
        let blocked = guard
            .run("customer.x", far, async { panic!("the callee is asked") })
            .await;
        assert!(matches!(
            blocked,
            Result::<(), _>::Err(CallError::Unavailable { .. })
        ));
    }

    #[tokio::test]
    async fn a_call_ends_at_its_deadline() {
        let guard = Guard::new("customer");
        let soon = Instant::now() + Duration::from_millis(50);
        let result = guard
            .run(
                "customer.x",
                soon,
                std::future::pending::<Result<(), CallError>>(),
            )
            .await;
        assert!(matches!(result, Err(CallError::Timeout { .. })));
    }
}
