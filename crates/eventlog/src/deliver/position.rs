//! Where a consumer stands, and what lies before it.

use crate::stored::Stored;
use jiff::Timestamp;
use stoa_kernel::DbError;
use stoa_kernel::db::{Params, Row};

/// A tick to go to.
pub(super) struct Tick {
    pub(super) n: i64,
    pub(super) epoch: i32,
    pub(super) snapshot: String,
}

/// The answer to [`crate::store::LOOK`].
pub(super) struct Look {
    pub(super) generation: i32,
    pub(super) version: i64,
    pub(super) detached: bool,
    /// Everything up to this tick is done.
    pub(super) from: i64,
    pub(super) from_epoch: i32,
    pub(super) from_snapshot: String,
    pub(super) from_seq: i64,
    /// Of what lies between, everything up to this number is done too.
    pub(super) seq: i64,
    pub(super) target: Option<Tick>,
    /// When the first tick was recorded that is not done.
    pub(super) behind_since: Option<Timestamp>,
    pub(super) head_seq: i64,
    pub(super) parked: i64,
    pub(super) dead: i64,
}

impl Look {
    pub(super) fn read(row: &Row) -> Result<Self, DbError> {
        let at_cursor: bool = row.try_get(9)?;
        let seq: i64 = row.try_get(3)?;
        let target = match row.try_get::<_, Option<i64>>(10)? {
            Some(n) => Some(Tick {
                n,
                epoch: row.try_get(11)?,
                snapshot: row.try_get(12)?,
            }),
            None => None,
        };
        Ok(Self {
            generation: row.try_get(0)?,
            version: row.try_get(1)?,
            detached: row.try_get(4)?,
            from: row.try_get(5)?,
            from_epoch: row.try_get(6)?,
            from_snapshot: row.try_get(7)?,
            from_seq: row.try_get(8)?,
            seq: if at_cursor { seq } else { 0 },
            target,
            behind_since: row.try_get(13)?,
            head_seq: row.try_get(14)?,
            parked: row.try_get(15)?,
            dead: row.try_get(16)?,
        })
    }
}

/// A cursor's value.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) epoch: i32,
    pub(super) tick: i64,
    pub(super) target: Option<i64>,
    pub(super) seq: i64,
}

impl Position {
    /// Everything up to `tick` is done.
    pub(super) fn at(tick: &Tick) -> Self {
        Self {
            epoch: tick.epoch,
            tick: tick.n,
            target: None,
            seq: 0,
        }
    }

    /// The parameters of [`crate::store::ADVANCE`].
    pub(super) fn params(
        self,
        consumer: &'static str,
        generation: i32,
        version: i64,
        now: Timestamp,
    ) -> Params {
        stoa_kernel::params![
            consumer,
            generation,
            version,
            self.epoch,
            self.tick,
            self.target,
            self.seq,
            now
        ]
    }
}

/// An event of a batch.
pub(super) struct Item {
    pub(super) event: Stored,
    /// It had its effect already.
    pub(super) seen: bool,
    /// Its key is parked.
    pub(super) blocked: bool,
}

/// A part of what became visible between two ticks, in order.
pub(super) struct Batch {
    pub(super) events: Vec<Item>,
    /// Nothing is left between the two ticks.
    pub(super) complete: bool,
}

impl Batch {
    pub(super) fn read(rows: &[Row], limit: usize, bytes: i64) -> Result<Self, DbError> {
        let mut events = Vec::with_capacity(rows.len());
        let mut size = 0;
        for row in rows {
            size = row.try_get(18)?;
            events.push(Item {
                event: Stored::read(row)?,
                seen: row.try_get(19)?,
                blocked: row.try_get(20)?,
            });
        }
        Ok(Self {
            complete: events.len() < limit && size < bytes,
            events,
        })
    }
}
