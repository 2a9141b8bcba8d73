//! One attempt at one step: runs the handler while extending the lease, and writes down how it ended.

use super::claim::{BUDGET, Job, LEASE, SCOPE};
use super::worker::Kind;
use super::{Next, StepError, Worker, json_of};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stoa_kernel::{DbError, Problem};
use stoa_telemetry::TraceContext;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

const FIRST_BACKOFF: SignedDuration = SignedDuration::from_secs(7);
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_hours(1);
/// For a handler whose last wait ended with the scope's deadline.
const AFTER_DEADLINE: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[allow(clippy::large_enum_variant, reason = "it lives for a moment, once a step")]
enum Ended {
    Returned(Result<Next, StepError>),
    /// Another worker has the job.
    Lost,
    /// The process stops before the step is done.
    Halted,
}

/// What to write down, as the parameters of `settle`.
struct Settled {
    outcome: &'static str,
    status: &'static str,
    /// Whether the job is cancelled instead, when that was asked for meanwhile.
    yields: bool,
    ready: bool,
    run_at: Timestamp,
    attempts: i32,
    failing_since: Option<Timestamp>,
    result: Option<Value>,
    problem: Option<Value>,
    last_error: Option<String>,
}

/// Runs one step of a claimed job.
pub(super) async fn run(worker: Arc<Worker>, job: Job, halt: CancellationToken) {
    let job = Arc::new(job);
    let Some(kind) = worker.kinds.get(job.kind.as_str()) else {
        return;
    };
    let span = span(kind.name, &job);
    async {
        let started = Instant::now();
        let ended = if job.attempt > job.max_attempts {
            Ended::Returned(Err(StepError::Retry("its workers were lost".to_owned())))
        } else {
            step(&worker, kind.name, &job, &halt).await
        };
        metrics::histogram!("stoa_job_step_seconds", "kind" => kind.name).record(started.elapsed());
        settle(&worker, kind, &job, ended).await;
    }
    .instrument(span)
    .await;
}

/// The part of the job's trace that happens here.
fn span(kind: &'static str, job: &Job) -> Span {
    let parent = job.traceparent.as_deref();
    let span = tracing::info_span!(
        "job.step",
        otel.kind = "consumer",
        kind,
        id = %job.id,
        attempt = job.attempt,
        // 00-<trace id>-<span id>-<flags>
        trace_id = parent.and_then(|parent| parent.get(3..35)),
        tenant_id = %job.tenant,
        correlation = %job.correlation,
    );
    if let Some(parent) = parent.and_then(TraceContext::parse) {
        stoa_telemetry::attach_remote_parent(&span, &parent);
    }
    span
}

/// Runs the handler in a task of its own, so that one that blocks or panics does not keep the lease from being
/// extended.
async fn step(worker: &Arc<Worker>, kind: &'static str, job: &Arc<Job>, halt: &CancellationToken) -> Ended {
    let deadline = Instant::now() + worker.budget + AFTER_DEADLINE;
    let mut handler = AbortOnDrop(tokio::spawn(
        handle(worker.clone(), kind, job.clone()).instrument(Span::current()),
    ));
    let every = LEASE / 3;
    let mut beat = interval_at(Instant::now() + every, every);
    loop {
        tokio::select! {
            // First what the step has brought, whatever else has happened meanwhile.
            biased;
            returned = &mut handler.0 => return Ended::Returned(returned.unwrap_or_else(broken)),
            _ = beat.tick() => match worker.extend(job).await {
                Ok(true) => {}
                // Given up by its own step, which has not returned yet.
                Ok(false) if job.finished.load(Ordering::Relaxed) => {}
                Ok(false) => {
                    handler.end().await;
                    return Ended::Lost;
                }
                Err(error) => tracing::warn!(%error, "cannot extend a job's lease; trying again soon"),
            },
            () = sleep_until(deadline) => {
                handler.end().await;
                let why = format!("the step took longer than its budget of {:?}", worker.budget);
                return Ended::Returned(Err(StepError::Retry(why)));
            }
            () = halt.cancelled() => {
                handler.end().await;
                return Ended::Halted;
            }
        }
    }
}

async fn handle(worker: Arc<Worker>, kind: &'static str, job: Arc<Job>) -> Result<Next, StepError> {
    let Some(kind) = worker.kinds.get(kind) else {
        return Err(StepError::Retry("this worker does not know the kind".to_owned()));
    };
    let scope = job.scope(kind.name, worker.budget);
    (kind.run)(&job, scope, worker.clock.clone()).await
}

struct AbortOnDrop(JoinHandle<Result<Next, StepError>>);

impl AbortOnDrop {
    /// Ends the handler and waits until its transaction is gone, which may hold the job's row.
    async fn end(&mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn broken(error: JoinError) -> Result<Next, StepError> {
    let why = match error.try_into_panic() {
        Ok(panic) => format!("the handler panicked: {}", crate::deliver::panic_text(&*panic)),
        Err(error) => error.to_string(),
    };
    Err(StepError::Retry(why))
}

/// Writes down how the attempt ended. When that fails, the lease runs out and another worker tries again.
async fn settle(worker: &Worker, kind: &Kind, job: &Job, ended: Ended) {
    let kind = kind.name;
    let outcome = match ended {
        Ended::Lost => not_ours(job),
        Ended::Returned(Ok(Next::Finished)) if job.finished.load(Ordering::Relaxed) => "succeeded",
        Ended::Returned(returned) => {
            // A step that put its end into a transaction and then failed has not committed it.
            job.finished.fetch_and(returned.is_ok(), Ordering::Relaxed);
            write(worker, kind, job, settled(worker, job, returned)).await
        }
        Ended::Halted => write(worker, kind, job, given_back(job)).await,
    };
    metrics::counter!("stoa_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
}

async fn write(worker: &Worker, kind: &'static str, job: &Job, settled: Settled) -> &'static str {
    let (outcome, cause) = (settled.outcome, settled.last_error.clone().unwrap_or_default());
    match worker.settle(job, settled).await {
        Ok(Some(status)) if status == "cancelled" => "cancelled",
        Ok(Some(_)) => {
            match outcome {
                "retried" => {
                    tracing::warn!(kind, id = %job.id, cause, "a job's step failed; it is tried again")
                }
                "gave_up" => tracing::error!(kind, id = %job.id, cause, "a job was given up"),
                _ => {}
            }
            outcome
        }
        Ok(None) => not_ours(job),
        Err(error) => {
            tracing::warn!(kind, id = %job.id, %error, "cannot write down how a job's step ended; it runs again");
            "lost"
        }
    }
}

/// A job that has left this worker's hands: finished by its own step, or taken over.
fn not_ours(job: &Job) -> &'static str {
    if job.finished.load(Ordering::Relaxed) {
        return "succeeded";
    }
    tracing::warn!(kind = job.kind, id = %job.id, "a job's lease was lost; what its step had not committed is undone");
    "lost"
}

fn settled(worker: &Worker, job: &Job, returned: Result<Next, StepError>) -> Settled {
    let now = worker.clock.now();
    let queued = |outcome, run_at| Settled {
        outcome,
        status: "queued",
        yields: true,
        ready: run_at <= now,
        run_at,
        attempts: 0,
        failing_since: None,
        result: None,
        problem: None,
        last_error: None,
    };
    match returned {
        Ok(Next::Again) => queued("again", now),
        Ok(Next::At(time)) => queued("later", time),
        Ok(Next::Done(result)) => match json_of("result", &result) {
            Ok(result) => Settled {
                status: "succeeded",
                yields: false,
                ready: false,
                result: Some(result),
                ..queued("succeeded", now)
            },
            Err(error) => failed(job, now, Problem::internal(&error)),
        },
        Ok(Next::Finished) => {
            let why = "the step said that it had finished the job, and had not";
            retried(job, now, why.to_owned())
        }
        Err(StepError::Retry(cause)) => retried(job, now, cause),
        Err(StepError::Fail(problem)) => failed(job, now, problem),
    }
}

fn retried(job: &Job, now: Timestamp, cause: String) -> Settled {
    if job.last {
        return Settled {
            outcome: "gave_up",
            yields: true,
            last_error: Some(cause),
            ..failed(job, now, gave_up(job))
        };
    }
    Settled {
        outcome: "retried",
        status: "queued",
        yields: true,
        ready: false,
        run_at: next_attempt(job, now),
        attempts: job.attempt,
        failing_since: job.failing_since.or(Some(now)),
        result: None,
        problem: None,
        last_error: Some(cause),
    }
}

fn failed(job: &Job, now: Timestamp, problem: Problem) -> Settled {
    Settled {
        outcome: "failed",
        status: "failed",
        yields: false,
        ready: false,
        run_at: now,
        attempts: job.attempt,
        failing_since: job.failing_since,
        result: None,
        last_error: Some(problem.to_string()),
        // A struct of texts, numbers and JSON always serialises.
        problem: serde_json::to_value(problem).ok(),
    }
}

/// As if it had not been claimed: nobody has failed.
fn given_back(job: &Job) -> Settled {
    Settled {
        outcome: "given_back",
        status: "queued",
        yields: true,
        ready: true,
        run_at: job.run_at,
        attempts: job.attempt - 1,
        failing_since: job.failing_since,
        result: None,
        problem: None,
        last_error: None,
    }
}

fn gave_up(job: &Job) -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "operation.gave_up",
        "Given up",
        format!(
            "the operation failed {} times in a row, the last time for a cause that is in the logs under its id; \
             what its earlier steps did stays",
            job.attempt.min(job.max_attempts)
        ),
    )
}

/// When to try again: a fifth more or less than the wait, so that jobs that failed together part.
fn next_attempt(job: &Job, now: Timestamp) -> Timestamp {
    let wait = backoff(job.attempt).mul_f64(rand::rng().random_range(0.8..1.2));
    now.saturating_add(wait).unwrap_or(now)
}

/// The wait after an attempt: 7 s, 14 s, 28 s … up to an hour.
pub(super) fn backoff(attempt: i32) -> SignedDuration {
    let factor = 2_i32.saturating_pow(u32::try_from(attempt - 1).unwrap_or(0));
    FIRST_BACKOFF.saturating_mul(factor).min(LONGEST_BACKOFF)
}

impl Worker {
    /// False when the lease is lost.
    async fn extend(&self, job: &Job) -> Result<bool, DbError> {
        let mut scope = SCOPE.global(LEASE / 3);
        let tx = self.pools.system.begin_system(&mut scope);
        let (tenant, id, seconds) = (job.tenant.uuid(), job.id.uuid(), LEASE.as_secs_f64());
        let rows = tx
            .read(&self.sql.extend, &[&tenant, &id, &job.token, &seconds])
            .await?;
        Ok(rows
            .first()
            .map(|row| row.try_get(0))
            .transpose()?
            .unwrap_or(false))
    }

    /// The status that the job has now; `None` when the lease is lost.
    async fn settle(&self, job: &Job, settled: Settled) -> Result<Option<String>, DbError> {
        let mut scope = SCOPE.global(BUDGET);
        let mut tx = self.pools.system.begin_system(&mut scope);
        let params = stoa_kernel::params![
            job.tenant.uuid(),
            job.id.uuid(),
            job.token,
            settled.status,
            settled.ready,
            settled.run_at,
            settled.attempts,
            settled.failing_since,
            settled.result,
            settled.problem,
            settled.last_error,
            self.clock.now(),
            settled.yields,
        ];
        tx.defer(self.sql.settle.clone(), params);
        let rows = tx.commit().await?;
        let row = rows.first().and_then(|rows| rows.first());
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: EV-11
    #[test]
    fn ten_attempts_take_about_an_hour() {
        let waits: i64 = (1..10).map(|attempt| backoff(attempt).as_secs()).sum();
        assert!((3000..4000).contains(&waits), "{waits} s");
        assert_eq!(backoff(100), LONGEST_BACKOFF);
    }
}
