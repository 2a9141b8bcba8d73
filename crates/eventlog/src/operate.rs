//! What an operator does: look at dead letters, redrive or discard them, replay a consumer.
//!
//! `db` is the system pool of the service that owns the consumer; the log shows it no other service's.

use crate::store;
use crate::stored::Stored;
use crate::wake;
use jiff::Timestamp;
use std::time::Duration;
use stoa_kernel::db::{Database, Row};
use stoa_kernel::{Clock, DbError, SystemScope};
use uuid::Uuid;

/// Reads and moves dead letters and cursors, whose rows an operator handles across tenants.
const SCOPE: SystemScope = SystemScope::named("log.operate");
const BUDGET: Duration = Duration::from_secs(5);

/// An event that was given up.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The letter's id.
    pub id: Uuid,
    /// The consumer that gave up.
    pub consumer: String,
    /// The event.
    pub event: Stored,
    /// How often it was tried.
    pub attempts: i32,
    /// The last error.
    pub cause: String,
    /// When it was given up.
    pub died_at: Timestamp,
}

/// Where a replay starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFrom {
    /// The oldest retained event.
    Beginning,
    /// The last tick that was recorded at or before this time.
    Time(Timestamp),
}

/// An operation that was refused.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// No open dead letter has this id.
    #[error("there is no open dead letter {0}; it may have been redriven or discarded meanwhile")]
    NoSuchLetter(Uuid),
    /// The consumer does not exist or did not opt in.
    #[error(
        "{0} cannot be replayed: it has never run, or its handlers have effects that must not happen again \
         (Consumer::replayable)"
    )]
    NotReplayable(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Open dead letters, oldest first, of one consumer or of all; `after` continues behind a letter.
///
/// # Errors
/// Any [`DbError`].
pub async fn dead_letters(
    db: &Database,
    consumer: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeadLetter>, DbError> {
    let mut scope = SCOPE.global(BUDGET);
    let rows = db
        .begin_system(&mut scope)
        .read(store::DEAD_LETTERS, &[&consumer, &after, &limit])
        .await?;
    rows.iter().map(letter).collect()
}

/// Hands a dead letter's event to its consumer again. It comes after newer events of its key that were handled since.
///
/// # Errors
/// [`OperateError::NoSuchLetter`], or the database's.
pub async fn redrive(db: &Database, clock: &Clock, id: Uuid) -> Result<(), OperateError> {
    let mut scope = SCOPE.global(BUDGET);
    let mut tx = db.begin_system(&mut scope);
    let rows = tx.query(store::REDRIVE, &[&id, &clock.now()]).await?;
    if rows.is_empty() {
        tx.rollback().await;
        return Err(OperateError::NoSuchLetter(id));
    }
    tx.commit().await?;
    wake::ticked();
    Ok(())
}

/// Gives a dead letter up for good; its row stays for the record.
///
/// # Errors
/// [`OperateError::NoSuchLetter`], or the database's.
pub async fn discard(db: &Database, clock: &Clock, id: Uuid) -> Result<(), OperateError> {
    let mut scope = SCOPE.global(BUDGET);
    let tx = db.begin_system(&mut scope);
    let rows = tx.read(store::DISCARD, &[&id, &clock.now()]).await?;
    if rows.is_empty() {
        return Err(OperateError::NoSuchLetter(id));
    }
    Ok(())
}

/// Opens a new generation of a replayable consumer, which handles everything retained from `from` on again. What the
/// old generation had parked is met again, or moves over if it is older than `from`.
///
/// # Errors
/// [`OperateError::NotReplayable`], or the database's.
pub async fn open_generation(db: &Database, consumer: &str, from: ReplayFrom) -> Result<i32, OperateError> {
    let time = match from {
        ReplayFrom::Beginning => None,
        ReplayFrom::Time(time) => Some(time),
    };
    let mut scope = SCOPE.global(BUDGET);
    let tx = db.begin_system(&mut scope);
    let rows = tx.read(store::OPEN_GENERATION, &[&consumer, &time]).await?;
    let Some(row) = rows.first() else {
        return Err(OperateError::NotReplayable(consumer.to_owned()));
    };
    wake::ticked();
    Ok(row.try_get(0).map_err(DbError::from)?)
}

fn letter(row: &Row) -> Result<DeadLetter, DbError> {
    Ok(DeadLetter {
        id: row.try_get(0)?,
        consumer: row.try_get(1)?,
        event: parse_stored(row.try_get(2)?)?,
        attempts: row.try_get(3)?,
        cause: row.try_get(4)?,
        died_at: row.try_get(5)?,
    })
}

/// Reads the copy of an event that parked rows and dead letters hold.
pub(crate) fn parse_stored(copy: serde_json::Value) -> Result<Stored, DbError> {
    serde_json::from_value(copy)
        .map_err(|e| DbError::Unexpected(format!("the stored copy of an event cannot be read: {e}")))
}
