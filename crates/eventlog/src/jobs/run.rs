//! A worker at work: claims what is ready while it has free slots, and clears away what is old.

use super::claim::{BUDGET, SCOPE};
use super::{Worker, attempt, store};
use crate::wake;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::DbError;
use stoa_types::TenantId;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often a worker looks without being woken: first soon, then less often while nothing comes.
const SHORTEST_POLL: Duration = Duration::from_millis(250);
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// How long steps may go on when the process stops; then their jobs are given back.
const GRACE: Duration = Duration::from_secs(4);
const HOUSEKEEPING: Duration = Duration::from_secs(15);
/// How many portions of old operations are deleted at a time, while nothing is claimed.
const PORTIONS: usize = 10;
/// How long a finished operation can be read.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The state of one run of a worker.
pub(super) struct Shift {
    worker: Arc<Worker>,
    /// Whose turn it was last.
    cursor: TenantId,
    looked_after: Option<Instant>,
    kept_house: Option<Instant>,
}

impl Shift {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        Self {
            worker,
            cursor: TenantId(Uuid::nil()),
            looked_after: None,
            kept_house: None,
        }
    }

    /// Runs until `stop`; steps under way are finished, or their jobs given back.
    ///
    /// # Errors
    /// When the database fails; the task is restarted with backoff, and other workers take over what it held.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        self.worker.check_names()?;
        let halt = CancellationToken::new();
        let mut steps = JoinSet::new();
        let ended = self.work(&mut steps, &stop, &halt).await;
        let finished = async { while steps.join_next().await.is_some() {} };
        if timeout(GRACE, finished).await.is_err() {
            halt.cancel();
            let given_back = async { while steps.join_next().await.is_some() {} };
            if timeout(GRACE, given_back).await.is_err() {
                tracing::warn!(
                    worker = self.worker.name,
                    "jobs could not be given back; their leases will run out"
                );
            }
        }
        Ok(ended?)
    }

    async fn work(
        &mut self,
        steps: &mut JoinSet<()>,
        stop: &CancellationToken,
        halt: &CancellationToken,
    ) -> Result<(), DbError> {
        let mut queued = wake::on_queued();
        let mut poll = SHORTEST_POLL;
        while !stop.is_cancelled() {
            while steps.try_join_next().is_some() {}
            queued.borrow_and_update();
            let free = steps.len() < self.worker.slots;
            if free && let Some(job) = self.next().await? {
                steps.spawn(attempt::run(self.worker.clone(), job, halt.clone()));
                poll = SHORTEST_POLL;
                continue;
            }
            self.keep_house().await;
            tokio::select! {
                Some(_) = steps.join_next() => poll = SHORTEST_POLL,
                _ = queued.changed(), if free => poll = SHORTEST_POLL,
                () = sleep(poll) => poll = (poll * 2).min(LONGEST_POLL),
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<super::claim::Job>, DbError> {
        let upkeep = self.looked_after.is_none_or(|at| at.elapsed() >= SHORTEST_POLL);
        if upkeep {
            self.looked_after = Some(Instant::now());
        }
        let job = self.worker.claim(self.cursor, upkeep).await?;
        if let Some(job) = &job {
            self.cursor = job.tenant;
        }
        Ok(job)
    }

    /// Deletes old operations and measures the queue. A failure is told and tried again next time.
    async fn keep_house(&mut self) {
        if self.kept_house.is_some_and(|at| at.elapsed() < HOUSEKEEPING) {
            return;
        }
        self.kept_house = Some(Instant::now());
        let worker = &self.worker;
        if let Err(error) = async {
            worker.delete_old().await?;
            worker.measure().await
        }
        .await
        {
            tracing::warn!(worker = worker.name, %error, "cannot clear away old jobs; trying again soon");
        }
    }
}

impl Worker {
    async fn delete_old(&self) -> Result<(), DbError> {
        let before = self.clock.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let mut scope = SCOPE.global(BUDGET);
        for _ in 0..PORTIONS {
            let tx = self.pools.system.begin_system(&mut scope);
            let deleted = tx.read(&self.sql.delete_old, &[&before]).await?;
            if deleted.len() < store::PORTION {
                break;
            }
        }
        Ok(())
    }

    async fn measure(&self) -> Result<(), DbError> {
        let mut scope = SCOPE.global(BUDGET);
        let tx = self.pools.system.begin_system(&mut scope);
        let rows = tx.read(&self.sql.waiting, &[]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let waiting: i64 = row.try_get(0)?;
        let oldest: Option<Timestamp> = row.try_get(1)?;
        let seconds = oldest.map_or(0.0, |at| self.clock.now().duration_since(at).as_secs_f64());
        metrics::gauge!("stoa_jobs_waiting", "service" => self.service).set(waiting as f64);
        metrics::gauge!("stoa_jobs_oldest_waiting_seconds", "service" => self.service).set(seconds.max(0.0));
        Ok(())
    }
}
