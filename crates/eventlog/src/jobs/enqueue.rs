//! Queueing: one deferred insert, which commits with its cause.

use super::{JobKind, Operation, OperationStatus, json_of, service_of, store};
use crate::{stored, wake};
use jiff::Timestamp;
use std::time::Duration;
use stoa_kernel::{Clock, DbError, TenantTx};
use stoa_types::OperationId;

/// Attempts in a row before a job is given up, unless it says otherwise: about an hour in all.
const ATTEMPTS: i32 = 10;

/// A job to queue.
pub struct NewJob<K: JobKind> {
    input: K::Input,
    total: Option<i64>,
    unique: Option<String>,
    at: Option<Timestamp>,
    priority: i16,
    attempts: Option<i32>,
    patience: Option<Duration>,
}

impl<K: JobKind> NewJob<K> {
    /// A job to run as soon as it is its turn.
    #[must_use]
    pub fn new(input: K::Input) -> Self {
        Self {
            input,
            total: None,
            unique: None,
            at: None,
            priority: 0,
            attempts: None,
            patience: None,
        }
    }

    /// How much there is to do, in units of the kind's own, when that is known already.
    #[must_use]
    pub fn total(mut self, total: Option<i64>) -> Self {
        self.total = total;
        self
    }

    /// Refuses the commit with the constraint `job_unique_key` while the tenant has an unfinished job of this kind with
    /// the same key; [`conflict`](super::conflict) makes a problem of it.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique = Some(key.into());
        self
    }

    /// Not before this time, by the injected clock.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// Before the tenant's jobs of a lower priority; 0 unless set.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Attempts in a row before it is given up; 10 unless set, which takes about an hour. A step that succeeds starts
    /// the count anew.
    #[must_use]
    pub fn attempts(mut self, attempts: i32) -> Self {
        self.attempts = Some(attempts.max(1));
        self
    }

    /// Gives up once it has failed for this long without a success, instead of after a number of attempts (or after
    /// both, when both are set). The waits grow to an hour.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

/// Queues a job in `tx`: it runs once `tx` has committed, on behalf of whom `tx` works and in the same trace.
///
/// # Errors
/// [`DbError::Unexpected`] when the input cannot be serialised or is larger than 256 KiB.
pub fn enqueue<K: JobKind>(
    tx: &mut TenantTx<'_>,
    clock: &Clock,
    job: NewJob<K>,
) -> Result<Operation, DbError> {
    let input = json_of("input", &job.input)?;
    let now = clock.now();
    let run_at = job.at.unwrap_or(now);
    let ready = run_at <= now;
    let id = OperationId::new();
    let span = stoa_telemetry::step!("job.enqueue", job.kind = K::NAME, job.id = %id);
    let origin = tx.origin().clone();
    let traceparent = stoa_telemetry::context_of(&span).map(|context| context.to_string());
    let patience = job
        .patience
        .map(|p| i64::try_from(p.as_secs()).unwrap_or(i64::MAX));
    let attempts = job
        .attempts
        .unwrap_or(if patience.is_some() { i32::MAX } else { ATTEMPTS });
    let created_by = origin.actor.to_string();
    let params = stoa_kernel::params![
        tx.tenant(),
        id.uuid(),
        K::NAME,
        ready,
        job.priority,
        job.unique,
        input,
        job.total,
        attempts,
        patience,
        run_at,
        stored::actor_text(&origin.actor),
        origin.causation,
        origin.correlation,
        traceparent.or_else(|| origin.traceparent.as_deref().map(str::to_owned)),
        now,
        created_by.clone(),
    ];
    tx.defer(store::insert(service_of(K::NAME)), params);
    if ready {
        tx.after_commit(wake::queued);
    }
    Ok(Operation {
        id,
        kind: K::NAME.to_owned(),
        status: OperationStatus::Queued,
        done: 0,
        total: job.total,
        result: None,
        problem: None,
        created_at: now,
        created_by,
        updated_at: now,
        finished_at: None,
    })
}
