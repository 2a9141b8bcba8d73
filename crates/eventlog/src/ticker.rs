//! The ticker: records what is committed, as soon as somebody waits for it.
//!
//! Every process runs one; whichever gets the advisory lock records the tick for all. One that dies releases the lock
//! with its connection.
//!
//! When idle it looks once a second, and records nothing when there is nothing new: a tick per second would wake every
//! consumer and the disk for no event.

use crate::{store, wake};
use std::time::Duration;
use stoa_kernel::db::{Database, Pools};
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, DbError, SystemScope};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Records ticks and maintains partitions; both tables belong to no tenant.
const SCOPE: SystemScope = SystemScope::named("log.ticker");
const CHANNEL: &str = "stoa_tick";

/// The least time between two ticks of a process, and thereby the longest that a commit waits for its tick.
const SPACING: Duration = Duration::from_millis(10);
/// How soon to ask again when another process is at it: its snapshot may be older than our commit.
const BUSY: Duration = Duration::from_millis(3);
/// How often to look without being woken: for the commits of processes that died before they could wake anybody.
const IDLE: Duration = Duration::from_secs(1);
const BUDGET: Duration = Duration::from_secs(10);
const MAINTENANCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The process's ticker for one database. `pools` may be any service's; only the system role is used.
#[must_use]
pub fn ticker_task(pools: Pools, clock: Clock) -> Task {
    Task::new("log.ticker", move |stop| {
        let ticker = Ticker {
            db: pools.system.clone(),
            clock: clock.clone(),
            maintained: None,
        };
        ticker.run(stop)
    })
}

struct Ticker {
    db: Database,
    clock: Clock,
    maintained: Option<jiff::Timestamp>,
}

enum Outcome {
    Recorded,
    NothingNew,
    Busy,
}

impl Ticker {
    async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let _listener = AbortOnDrop(tokio::spawn(listen(self.db.clone())));
        let mut written = wake::on_written();
        while !stop.is_cancelled() {
            written.borrow_and_update();
            let next = Instant::now() + SPACING;
            match self.look().await? {
                Outcome::Busy => {
                    tokio::time::sleep(BUSY).await;
                    continue;
                }
                Outcome::Recorded => {
                    metrics::counter!("stoa_ticks_total").increment(1);
                    wake::ticked();
                }
                Outcome::NothingNew => {}
            }
            self.maintain().await;
            tokio::time::sleep_until(next).await;
            tokio::select! {
                _ = written.changed() => {}
                () = tokio::time::sleep(IDLE) => self.check_epoch().await?,
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn look(&self) -> Result<Outcome, DbError> {
        let mut scope = SCOPE.global(BUDGET);
        let rows = self.db.begin_system(&mut scope).read(store::TICK, &[]).await?;
        Ok(match rows.first().map(|row| row.try_get(0)).transpose()? {
            Some(Some(0i64)) => Outcome::NothingNew,
            Some(Some(_)) => Outcome::Recorded,
            _ => Outcome::Busy,
        })
    }

    /// New connections have checked the epoch already; this is for those that outlive a change of server behind a
    /// connection pooler, and for missing partitions after a long sleep of the machine.
    async fn check_epoch(&self) -> Result<(), DbError> {
        let mut scope = SCOPE.global(BUDGET);
        self.db
            .begin_system(&mut scope)
            .read(store::OPEN_EPOCH, &[])
            .await
            .map(drop)
    }

    /// Hourly. A failure is told and tried again in an hour: partitions are made two weeks ahead.
    async fn maintain(&mut self) {
        let now = self.clock.now();
        if self
            .maintained
            .is_some_and(|at| now.duration_since(at) < MAINTENANCE)
        {
            return;
        }
        self.maintained = Some(now);
        let mut scope = SCOPE.global(BUDGET);
        if let Err(error) = self.db.begin_system(&mut scope).read(store::MAINTAIN, &[]).await {
            metrics::counter!("stoa_log_maintenance_failures_total").increment(1);
            tracing::warn!(%error, "cannot maintain the event log's partitions; trying again in an hour");
        }
    }
}

/// Wakes the consumers of this process when another process has ticked.
async fn listen(db: Database) {
    let mut listener = db.listen(CHANNEL);
    loop {
        listener.wait(IDLE).await;
        wake::ticked();
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
