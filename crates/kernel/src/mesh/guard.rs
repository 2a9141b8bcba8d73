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
        if self.breaker.lock().is_open() {
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
        self.breaker.lock().record(failed);
        result
    }
}

impl Breaker {
    fn is_open(&mut self) -> bool {
        match self.open_until {
            Some(until) if Instant::now() < until => true,
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

    fn record(&mut self, failed: bool) {
        self.outcomes = ((self.outcomes << 1) | u16::from(failed)) & ((1 << WINDOW) - 1);
        self.seen = (self.seen + 1).min(WINDOW as u32);
        let half_failed = self.seen >= MINIMUM && self.outcomes.count_ones() * 2 >= self.seen;
        if failed && (self.probing || half_failed) {
            self.open_until = Some(Instant::now() + OPEN_FOR);
        }
        self.probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_failures_open_the_breaker_and_time_closes_it() {
        let guard = Guard::new("customer");
        let far = Instant::now() + Duration::from_secs(60);
        let down = || async {
            Err::<(), _>(CallError::Unavailable {
                service: "customer",
                why: "down".into(),
            })
        };
        for _ in 0..5 {
            assert!(guard.run("customer.x", far, down()).await.is_err());
        }
        let blocked = guard.run("customer.x", far, async { Ok(()) }).await;
        assert!(
            matches!(blocked, Err(CallError::Unavailable { .. })),
            "open: the callee is not asked"
        );
        tokio::time::advance(OPEN_FOR).await;
        assert!(guard.run("customer.x", far, async { Ok(()) }).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
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
