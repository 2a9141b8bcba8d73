//! Watching from outside, as the superuser: how far the consumers are, and how long each event took.

use super::stage::{CONSUMERS, Stage};
use anyhow::ensure;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Up to which number events are written, and up to which the slowest consumer has handled them.
const POSITION: &str = "select s.last_value,
    coalesce((select min(greatest(t.last_seq, c.seq)) from log.cursor c join log.tick t on t.n = c.tick), 0)
  from log.event_seq s";

/// An event and an effect were committed when their rows' transactions were: one clock, the server's.
const PASSAGE: &str = "with event as materialized (
    select id, xmin as wrote from log.event where recorded_at >= $1 and recorded_at < $2),
  took as materialized (
    select extract(epoch from pg_xact_commit_timestamp(f.xmin) - pg_xact_commit_timestamp(e.wrote))::float8 * 1000 as ms
    from event e join reader.effect f on f.event_id = e.id)
  select (select count(*) from event), count(*),
    percentile_disc(0.5) within group (order by ms), percentile_disc(0.99) within group (order by ms), max(ms)
  from took";

const DRAIN_BOUND: Duration = Duration::from_secs(60);
const DRAIN_POLL: Duration = Duration::from_millis(200);

/// Where the log stands at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) at: Instant,
    pub(super) written: i64,
    pub(super) handled: i64,
}

impl Position {
    pub(super) fn backlog(self) -> i64 {
        self.written - self.handled
    }
}

/// From the commit of events to the commits of their effects.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) events: i64,
    pub(super) effects: i64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) longest_ms: f64,
}

impl Stage {
    pub(super) async fn position(&self) -> anyhow::Result<Position> {
        let row = self.admin.query_one(POSITION, &[]).await?;
        Ok(Position {
            at: Instant::now(),
            written: row.try_get(0)?,
            handled: row.try_get(1)?,
        })
    }

    /// Waits until every consumer has handled everything.
    ///
    /// # Errors
    /// When that takes longer than a minute.
    pub(super) async fn drained(&self) -> anyhow::Result<()> {
        let give_up = Instant::now() + DRAIN_BOUND;
        while !self.is_drained().await? {
            ensure!(
                Instant::now() < give_up,
                "the consumers do not catch up: {:?}",
                self.position().await?
            );
            tokio::time::sleep(DRAIN_POLL).await;
        }
        Ok(())
    }

    /// Judged by the effects: a tick counts numbers that were drawn but not committed, and an idle consumer writes its
    /// position down only now and then.
    async fn is_drained(&self) -> anyhow::Result<bool> {
        let counts = "select (select count(*) from log.event), (select count(*) from reader.effect)";
        let row = self.admin.query_one(counts, &[]).await?;
        let (events, effects): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(effects == events * CONSUMERS.len() as i64)
    }

    pub(super) async fn database_time(&self) -> anyhow::Result<Timestamp> {
        Ok(self
            .admin
            .query_one("select clock_timestamp()", &[])
            .await?
            .try_get(0)?)
    }

    /// The events recorded in a span of time, all of whose effects must be there.
    pub(super) async fn passage(&self, from: Timestamp, until: Timestamp) -> anyhow::Result<Passage> {
        let row = self.admin.query_one(PASSAGE, &[&from, &until]).await?;
        Ok(Passage {
            events: row.try_get(0)?,
            effects: row.try_get(1)?,
            p50_ms: row.try_get(2)?,
            p99_ms: row.try_get(3)?,
            longest_ms: row.try_get(4)?,
        })
    }
}
