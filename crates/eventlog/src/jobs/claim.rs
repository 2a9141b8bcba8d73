//! A claimed job, and the claim.

use super::{JobKind, Step, StepError, Ticket, Worker, attempt, store};
use crate::stored;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use stoa_kernel::db::Row;
use stoa_kernel::scope::JobEnvelope;
use stoa_kernel::{Actor, Clock, DbError, Scope, SystemScope};
use stoa_types::{OperationId, TenantId};
use uuid::Uuid;

/// Claims, leases and clears away jobs, whose rows span tenants.
pub(super) const SCOPE: SystemScope = SystemScope::named("log.jobs");
/// Bounds what a worker asks the database for its own sake.
pub(super) const BUDGET: Duration = Duration::from_secs(10);
/// How long a worker is believed to be alive without a word.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// A job that this worker holds the lease of.
pub(super) struct Job {
    pub(super) tenant: TenantId,
    pub(super) id: OperationId,
    pub(super) kind: String,
    pub(super) token: Uuid,
    input: Value,
    state: Option<Value>,
    done: i64,
    total: Option<i64>,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    /// Whether another attempt will not follow when this one fails.
    pub(super) last: bool,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) run_at: Timestamp,
    actor: Actor,
    causation: Option<Uuid>,
    pub(super) correlation: Uuid,
    pub(super) traceparent: Option<String>,
    /// The step has put its end into a transaction.
    pub(super) finished: Arc<AtomicBool>,
}

impl Job {
    fn read(row: &Row, token: Uuid, now: Timestamp) -> Result<Self, DbError> {
        let actor: &str = row.try_get(12)?;
        let (attempt, max_attempts) = (row.try_get(7)?, row.try_get(8)?);
        let failing_since: Option<Timestamp> = row.try_get(10)?;
        let failing = now.duration_since(failing_since.unwrap_or(now));
        let patience: Option<i64> = row.try_get(9)?;
        let impatient = patience
            .is_some_and(|seconds| failing + attempt::backoff(attempt) > SignedDuration::from_secs(seconds));
        Ok(Self {
            tenant: TenantId(row.try_get(0)?),
            id: OperationId(row.try_get(1)?),
            kind: row.try_get(2)?,
            token,
            input: row.try_get(3)?,
            state: row.try_get(4)?,
            done: row.try_get(5)?,
            total: row.try_get(6)?,
            attempt,
            max_attempts,
            last: attempt >= max_attempts || impatient,
            failing_since,
            run_at: row.try_get(11)?,
            actor: stored::parse_actor(actor),
            causation: row.try_get(13)?,
            correlation: row.try_get(14)?,
            traceparent: row.try_get(15)?,
            finished: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The scope of one step.
    pub(super) fn scope(&self, kind: &'static str, budget: Duration) -> Scope {
        let envelope = JobEnvelope {
            tenant: self.tenant,
            handler: kind,
            actor: self.actor.clone(),
            causation: self.causation,
            correlation: self.correlation,
            traceparent: self.traceparent.clone(),
        };
        Scope::from_job(&envelope, budget)
    }

    /// What the handler gets. A part that cannot be read may be of a later release, which tries it, too.
    pub(super) fn step<K: JobKind>(&self, scope: Scope, clock: Clock) -> Result<Step<K>, StepError> {
        let unreadable = |part: &str, e: serde_json::Error| {
            StepError::Retry(format!("the job's {part} is not what {} holds: {e}", K::NAME))
        };
        let state = match &self.state {
            Some(state) => K::State::deserialize(state).map_err(|e| unreadable("state", e))?,
            None => K::State::default(),
        };
        Ok(Step {
            id: self.id,
            input: K::Input::deserialize(&self.input).map_err(|e| unreadable("input", e))?,
            state,
            scope,
            attempt: self.attempt,
            last: self.last,
            done: self.done,
            total: self.total,
            ticket: Ticket::new(
                self.tenant.uuid(),
                self.id,
                self.token,
                clock,
                self.finished.clone(),
            ),
        })
    }
}

impl Worker {
    /// Claims a job of a tenant after `cursor`, and first, when `upkeep` says so, makes ready whose time has come and
    /// takes over what lost its worker: all in one flush.
    pub(super) async fn claim(&self, cursor: TenantId, upkeep: bool) -> Result<Option<Job>, DbError> {
        let now = self.clock.now();
        let token = stoa_types::new_id();
        let kinds: Vec<&'static str> = self.kinds.keys().copied().collect();
        let mut scope = SCOPE.global(BUDGET);
        let mut tx = self.pools.system.begin_system(&mut scope);
        tx.defer(store::BY_INDEX, stoa_kernel::params![]);
        if upkeep {
            tx.defer(self.sql.promote.clone(), stoa_kernel::params![now]);
            tx.defer(self.sql.take_over.clone(), stoa_kernel::params![now]);
        }
        tx.defer(
            self.sql.claim.clone(),
            stoa_kernel::params![kinds, cursor.uuid(), token, LEASE.as_secs_f64(), now],
        );
        let mut rows = tx.commit().await?;
        let claimed = rows.pop().unwrap_or_default();
        if upkeep {
            for lost in rows.pop().unwrap_or_default() {
                let kind: String = lost.try_get(0)?;
                metrics::counter!("stoa_jobs_total", "kind" => kind, "outcome" => "taken_over").increment(1);
            }
        }
        claimed.first().map(|row| Job::read(row, token, now)).transpose()
    }
}
