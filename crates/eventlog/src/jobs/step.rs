//! One step of a job, as its handler gets it, and what the handler says of it.

use super::{JobKind, json_of, service_of, store};
use crate::consumer::chain;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stoa_kernel::{CallError, Clock, DbError, Problem, Scope, TenantTx};
use stoa_types::OperationId;
use uuid::Uuid;

/// One step of a job.
pub struct Step<K: JobKind> {
    /// The job's id, which is its operation's.
    pub id: OperationId,
    /// What to do.
    pub input: K::Input,
    /// Where the work stands; save it with [`Ticket::save`].
    pub state: K::State,
    /// On behalf of whom the job was queued, in its tenant, until the step's budget ends.
    pub scope: Scope,
    /// The number of this attempt since the last success, from 1 on.
    pub attempt: i32,
    /// Whether a [`StepError::Retry`] would now be the end.
    pub last: bool,
    /// What was done when this step began.
    pub done: i64,
    /// How much there is to do, when that is known.
    pub total: Option<i64>,
    /// Saves and finishes the job. A field of its own, so that it can be used while a transaction borrows the scope.
    pub ticket: Ticket<K>,
}

/// The right to write to a job while its lease is held.
pub struct Ticket<K> {
    tenant: Uuid,
    id: OperationId,
    token: Uuid,
    clock: Clock,
    finished: Arc<AtomicBool>,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Ticket<K> {
    fn clone(&self) -> Self {
        Self {
            tenant: self.tenant,
            id: self.id,
            token: self.token,
            clock: self.clock.clone(),
            finished: self.finished.clone(),
            kind: PhantomData,
        }
    }
}

impl<K: JobKind> Ticket<K> {
    pub(super) fn new(
        tenant: Uuid,
        id: OperationId,
        token: Uuid,
        clock: Clock,
        finished: Arc<AtomicBool>,
    ) -> Self {
        Self {
            tenant,
            id,
            token,
            clock,
            finished,
            kind: PhantomData,
        }
    }

    /// Saves where the work stands, with what else `tx` does: the next step begins there. The commit fails with the
    /// constraint `job_lease`, and nothing of `tx` happens, when another worker has taken the job over or it was
    /// cancelled; just return the error.
    ///
    /// # Errors
    /// [`DbError::Unexpected`] when the state cannot be serialised or is larger than 256 KiB.
    pub fn save(
        &self,
        tx: &mut TenantTx<'_>,
        state: &K::State,
        done: i64,
        total: Option<i64>,
    ) -> Result<(), DbError> {
        let state = json_of("state", state)?;
        let params = stoa_kernel::params![
            self.tenant,
            self.id.uuid(),
            self.token,
            state,
            done,
            total,
            self.clock.now()
        ];
        tx.defer(store::save(service_of(K::NAME)), params);
        Ok(())
    }

    /// Ends the job with a result, together with what else `tx` does; after the commit return [`Next::Finished`]. The
    /// commit fails as with [`Ticket::save`].
    ///
    /// # Errors
    /// [`DbError::Unexpected`] when the result cannot be serialised or is larger than 256 KiB.
    pub fn finish<R: Serialize>(&self, tx: &mut TenantTx<'_>, result: &R) -> Result<(), DbError> {
        let result = json_of("result", result)?;
        let params = stoa_kernel::params![self.tenant, self.id.uuid(), self.token, result, self.clock.now()];
        tx.defer(store::finish(service_of(K::NAME)), params);
        self.finished.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// What follows a step that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Another step, behind the tenant's other jobs of the same priority.
    Again,
    /// Another step, not before this time by the injected clock.
    At(Timestamp),
    /// Nothing: the operation succeeded with this result. If the process dies before this is written, the step runs
    /// again; with effects in the database use [`Ticket::finish`].
    Done(Value),
    /// Nothing: [`Ticket::finish`] was committed.
    Finished,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StepError {
    /// Try again, with backoff; what failed may pass.
    #[error("{0}")]
    Retry(String),
    /// The operation has failed, with the problem that its user sees.
    #[error("{0}")]
    Fail(Problem),
}

/// The next attempt may meet a database that is well again.
impl From<DbError> for StepError {
    fn from(error: DbError) -> Self {
        Self::Retry(chain(&error))
    }
}

/// A refusal stays one; what is unavailable or overloaded may recover.
impl From<Problem> for StepError {
    fn from(problem: Problem) -> Self {
        if problem.status >= 500 || problem.status == 429 || problem.code == "request.contention" {
            Self::Retry(problem.to_string())
        } else {
            Self::Fail(problem)
        }
    }
}

impl From<CallError> for StepError {
    fn from(error: CallError) -> Self {
        Problem::from(error).into()
    }
}
