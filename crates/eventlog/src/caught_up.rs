//! Reading what one has just written: waiting until a consumer is past a commit.

use crate::{store, wake};
use std::time::Duration;
use stoa_kernel::{After, CommitToken, Database, DbError, Problem, SystemScope};
use stoa_telemetry::step;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

/// Reads a consumer's position, which spans tenants.
const SCOPE: SystemScope = SystemScope::named("log.caught_up");

/// The longest that a read waits, whatever its deadline.
const LONGEST: Duration = Duration::from_secs(2);
/// The first pause when the consumer runs in other processes only; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The first pause when the consumer runs here and says when it has moved: for the batches that another instance took.
const FIRST_PAUSE_WOKEN: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Why a read does not show the commit that it was asked to show.
#[derive(Debug, thiserror::Error)]
pub enum NotCaughtUp {
    /// The consumer was not there in time.
    #[error("{0} has not come past the commit in time")]
    Late(&'static str),
    /// The token is of another log, or of a commit that this one does not have.
    #[error("the commit token is of another database")]
    Foreign,
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<NotCaughtUp> for Problem {
    fn from(why: NotCaughtUp) -> Self {
        match why {
            NotCaughtUp::Late(_) => CommitToken::not_caught_up(),
            NotCaughtUp::Foreign => CommitToken::foreign(),
            NotCaughtUp::Database(error) => error.into(),
        }
    }
}

/// Returns once what `consumer` builds shows the commit in `after`, at once and without touching the database when the
/// client named none. Waits until `deadline`, for two seconds at most.
///
/// `db` is the system pool of the service that owns the consumer; the log shows it no other service's. Call it before
/// the read's transaction begins, after the caller's permission was checked.
///
/// A commit of an epoch before the consumer's counts as passed: whatever of it survived was delivered when that epoch
/// was closed. Events that are parked, because a handler fails, are not waited for: the consumer has gone past them.
///
/// # Errors
/// [`NotCaughtUp`], which is 503 `request.not_caught_up` or 400 `request.commit_token` as a problem.
pub async fn caught_up(
    db: &Database,
    consumer: &'static str,
    after: &After,
    deadline: Instant,
) -> Result<(), NotCaughtUp> {
    let Some(token) = after.token() else {
        return Ok(());
    };
    let span = step!("log.caught_up", consumer = consumer);
    let outcome = wait(db, consumer, token, deadline).instrument(span).await;
    let told = match &outcome {
        Ok(()) => "shown",
        Err(NotCaughtUp::Late(_)) => "late",
        Err(NotCaughtUp::Foreign) => "foreign",
        Err(NotCaughtUp::Database(_)) => "failed",
    };
    metrics::counter!("stoa_reads_after_commit_total", "consumer" => consumer, "outcome" => told)
        .increment(1);
    outcome
}

async fn wait(
    db: &Database,
    consumer: &'static str,
    token: &CommitToken,
    deadline: Instant,
) -> Result<(), NotCaughtUp> {
    // A look that has begun may take as long as the request: cut short it would look like a database that is away.
    let give_up = deadline.min(Instant::now() + LONGEST);
    let mut moved = wake::on_moved(consumer);
    let mut pause = match moved {
        Some(_) => FIRST_PAUSE_WOKEN,
        None => FIRST_PAUSE,
    };
    loop {
        // Before looking, so that a move meanwhile wakes.
        if let Some(moved) = &mut moved {
            moved.borrow_and_update();
        }
        if is_past(db, consumer, token, deadline).await? {
            return Ok(());
        }
        tokio::select! {
            () = changed(&mut moved) => {}
            () = tokio::time::sleep_until(give_up.min(Instant::now() + pause)) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        if Instant::now() >= give_up {
            return Err(NotCaughtUp::Late(consumer));
        }
    }
}

async fn changed(moved: &mut Option<watch::Receiver<u64>>) {
    let gone = match moved {
        Some(moved) => moved.changed().await.is_err(),
        None => true,
    };
    if gone {
        std::future::pending::<()>().await;
    }
}

async fn is_past(
    db: &Database,
    consumer: &str,
    token: &CommitToken,
    deadline: Instant,
) -> Result<bool, NotCaughtUp> {
    let mut scope = SCOPE.global(deadline.saturating_duration_since(Instant::now()));
    let rows = db
        .begin_system(&mut scope)
        .read(
            store::CAUGHT_UP,
            &[&consumer, &token.cell, &token.epoch, &token.xid.to_string()],
        )
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| DbError::Unexpected("the event log has no identity; run the migrations".into()))?;
    if !row.try_get::<_, bool>(0).map_err(DbError::from)? {
        return Err(NotCaughtUp::Foreign);
    }
    Ok(row.try_get(1).map_err(DbError::from)?)
}
