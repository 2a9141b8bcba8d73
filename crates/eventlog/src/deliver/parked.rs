//! Parked keys: the first event of each is tried again when its time has come.

use super::position::Look;
use super::{Attempt, BATCH_BUDGET, Called, Delivery, READ_BUDGET, SCOPE, finish, give_up};
use crate::consumer::{HandlerError, MAX_ATTEMPTS};
use crate::operate::parse_stored;
use crate::store;
use crate::stored::Stored;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use stoa_kernel::db::Row;
use stoa_kernel::{DbError, Scope, TenantTx};

const FIRST_BACKOFF: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_mins(10);

/// The first event of a parked key.
struct Due {
    event: Stored,
    attempts: i32,
    /// It had its effect in this generation already.
    seen: bool,
}

impl Due {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            event: parse_stored(row.try_get(0)?)?,
            attempts: row.try_get(1)?,
            seen: row.try_get(2)?,
        })
    }
}

impl Delivery {
    /// Tries what is due, each event in a transaction of its own. True when something was.
    pub(super) async fn retry_parked(&mut self, look: &Look) -> Result<bool, DbError> {
        let now = self.consumer.clock.now();
        let mut scope = SCOPE.global(READ_BUDGET);
        let tx = self.consumer.pools.system.begin_system(&mut scope);
        let rows = tx
            .read(store::DUE, &[&self.consumer.name, &look.generation, &now])
            .await?;
        // Each commit raises the version by one.
        for (version, row) in (look.version..).zip(&rows) {
            let due = Due::read(row)?;
            let settled = match self.attempt_parked(look.generation, version, &due).await? {
                Attempt::Committed => true,
                Attempt::Taken => false,
                Attempt::Failed { error, .. } => self.postpone(look.generation, version, &due, error).await?,
            };
            if !settled {
                break;
            }
        }
        Ok(!rows.is_empty())
    }

    async fn attempt_parked(&self, generation: i32, version: i64, due: &Due) -> Result<Attempt, DbError> {
        let name = self.consumer.name;
        let event = &due.event;
        let mut scope = Scope::from_envelope(&event.envelope(name), BATCH_BUDGET);
        let mut tx = self.consumer.pools.app.begin(&mut scope);
        if !self.claim(&mut tx, generation, version).await? {
            tx.rollback().await;
            return Ok(Attempt::Taken);
        }
        if !due.seen {
            match self.call(&mut tx, event, generation).await {
                Called::Done => {}
                failed => return Ok(give_up(tx, failed, Some(0)).await),
            }
            let handled =
                stoa_kernel::params![name, generation, vec![event.id.uuid()], vec![event.recorded_at]];
            tx.defer(store::HANDLED, handled);
        }
        self.unpark(&mut tx, generation, version, event);
        let attempt = finish(tx).await?;
        if matches!(attempt, Attempt::Committed) {
            self.count("handled_later", 1);
        }
        Ok(attempt)
    }

    /// After a failure: the next attempt's time, or a dead letter. False when the cursor was taken.
    async fn postpone(
        &self,
        generation: i32,
        version: i64,
        due: &Due,
        error: HandlerError,
    ) -> Result<bool, DbError> {
        let name = self.consumer.name;
        let event = &due.event;
        let attempts = due.attempts + 1;
        let mut scope = Scope::from_envelope(&event.envelope(name), BATCH_BUDGET);
        let mut tx = self.consumer.pools.app.begin(&mut scope);
        if !self.claim(&mut tx, generation, version).await? {
            tx.rollback().await;
            return Ok(false);
        }
        match &error {
            HandlerError::Retry(cause) if attempts < MAX_ATTEMPTS => {
                let now = self.consumer.clock.now();
                tx.defer(
                    store::PARK_AGAIN,
                    stoa_kernel::params![
                        name,
                        generation,
                        event.id.uuid(),
                        attempts,
                        next_attempt(now, attempts),
                        cause.clone()
                    ],
                );
                tx.defer(store::BUMP, stoa_kernel::params![name, generation, version, now]);
                self.count("retried", 1);
            }
            HandlerError::Retry(cause) | HandlerError::Reject(cause) => {
                self.bury(&mut tx, generation, event, attempts, cause);
                self.unpark(&mut tx, generation, version, event);
                self.count("dead", 1);
                tracing::error!(consumer = name, event = %event.id, kind = %event.kind, %error, "a dead letter");
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    fn unpark(&self, tx: &mut TenantTx<'_>, generation: i32, version: i64, event: &Stored) {
        let name = self.consumer.name;
        tx.defer(
            store::UNPARK,
            stoa_kernel::params![name, generation, event.id.uuid()],
        );
        let now = self.consumer.clock.now();
        tx.defer(store::BUMP, stoa_kernel::params![name, generation, version, now]);
    }

    /// Parks an event: with a cause it failed and waits for its time, without one it stands behind its key's first.
    pub(super) fn park(
        &self,
        tx: &mut TenantTx<'_>,
        generation: i32,
        event: &Stored,
        attempts: i32,
        cause: Option<&String>,
    ) {
        let now = self.consumer.clock.now();
        let next = if attempts == 0 {
            now
        } else {
            next_attempt(now, attempts)
        };
        tx.defer(
            store::PARK,
            stoa_kernel::params![
                event.tenant.uuid(),
                self.consumer.name,
                generation,
                event.aggregate_id,
                event.id.uuid(),
                copy(event),
                attempts,
                next,
                cause.cloned(),
                now
            ],
        );
    }

    pub(super) fn bury(
        &self,
        tx: &mut TenantTx<'_>,
        generation: i32,
        event: &Stored,
        attempts: i32,
        cause: &str,
    ) {
        tx.defer(
            store::BURY,
            stoa_kernel::params![
                stoa_types::new_id(),
                event.tenant.uuid(),
                self.consumer.name,
                generation,
                event.aggregate_id,
                event.id.uuid(),
                copy(event),
                attempts,
                cause.to_owned(),
                self.consumer.clock.now()
            ],
        );
    }
}

/// A struct of texts, numbers and JSON always serialises.
fn copy(event: &Stored) -> serde_json::Value {
    serde_json::to_value(event).unwrap_or_default()
}

/// 0.5 s, 1.5 s, 4.5 s … up to ten minutes, each a fifth more or less, so that keys that failed together part.
fn next_attempt(now: Timestamp, attempts: i32) -> Timestamp {
    let factor = 3_i32.saturating_pow(u32::try_from(attempts - 1).unwrap_or(0));
    let wait = FIRST_BACKOFF.saturating_mul(factor).min(LONGEST_BACKOFF);
    let wait = wait.mul_f64(rand::rng().random_range(0.8..1.2));
    now.saturating_add(wait).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_bounded() {
        let now = Timestamp::UNIX_EPOCH;
        let wait = |attempts| next_attempt(now, attempts).duration_since(now);
        assert!(wait(1) >= SignedDuration::from_millis(400) && wait(1) <= SignedDuration::from_millis(600));
        assert!(wait(4) > wait(2));
        assert!(wait(40) <= SignedDuration::from_mins(12));
    }
}
