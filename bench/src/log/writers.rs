//! The writers: each transaction changes one item and appends its events.

use super::stage::{ItemChanged, Stage};
use crate::statistics::Durations;
use anyhow::{Context, anyhow};
use rand::seq::IndexedRandom;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stoa_kernel::{Clock, Database, SystemScope};
use stoa_types::{TenantId, new_id};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

const SCOPE: SystemScope = SystemScope::named("publisher.bench");
const BUDGET: Duration = Duration::from_secs(10);
/// How often the backlog is looked at while it limits the writers.
const LOOK: Duration = Duration::from_millis(20);

/// Writers at work.
pub(super) struct Writers {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    times: Arc<Mutex<Durations>>,
}

/// Each writes one transaction after the other, while `open` holds.
pub(super) fn flat_out(
    stage: &Stage,
    count: usize,
    events: usize,
    open: Option<watch::Receiver<bool>>,
) -> Writers {
    Writers::start(stage, count, |pen, stop, _| {
        let mut open = open.clone();
        async move {
            while !stop.is_cancelled() {
                if let Some(open) = &mut open {
                    tokio::select! {
                        opened = open.wait_for(|open| *open) => { opened.context("the gate is gone")?; }
                        () = stop.cancelled() => break,
                    }
                }
                pen.write(events).await?;
            }
            Ok(())
        }
    })
}

/// Together they write `rate` events a second, whatever the database does: a transaction that has to wait for an earlier
/// one is timed from when it was due.
pub(super) fn steady(stage: &Stage, count: usize, events: usize, rate: f64) -> Writers {
    let pause = Duration::from_secs_f64((count * events) as f64 / rate.max(1.0));
    let mut offset = Duration::ZERO;
    Writers::start(stage, count, |pen, stop, times| {
        // Spread, so that they do not all write at once.
        offset += pause / u32::try_from(count).unwrap_or(1);
        let first = Instant::now() + offset;
        async move {
            let mut due = first;
            while !stop.is_cancelled() {
                let late = Instant::now() >= due;
                tokio::time::sleep_until(due.into()).await;
                // A timer that fires late is not the log's delay; an earlier transaction that took long is.
                let start = if late { due } else { Instant::now() };
                pen.write(events).await?;
                let mut times = times.lock().map_err(|_| anyhow!("another writer panicked"))?;
                times.add(start.elapsed());
                due += pause;
            }
            Ok(())
        }
    })
}

impl Writers {
    fn start<Fut>(
        stage: &Stage,
        count: usize,
        mut work: impl FnMut(Pen, CancellationToken, Arc<Mutex<Durations>>) -> Fut,
    ) -> Self
    where
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (stop, times) = (CancellationToken::new(), Arc::new(Mutex::new(Durations::new())));
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(work(Pen::of(stage), stop.clone(), times.clone()));
        }
        Self { tasks, stop, times }
    }

    /// Starts the taking of times anew.
    pub(super) fn forget_times(&self) {
        if let Ok(mut times) = self.times.lock() {
            *times = Durations::new();
        }
    }

    /// The times of the transactions so far.
    ///
    /// # Errors
    /// When a writer panicked.
    pub(super) fn times(&self) -> anyhow::Result<Durations> {
        let times = self.times.lock().map_err(|_| anyhow!("a writer panicked"))?;
        Ok(times.clone())
    }

    /// Stops them after their transactions.
    ///
    /// # Errors
    /// What one of them failed with.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// What a writer needs.
struct Pen {
    db: Database,
    clock: Clock,
    tenants: Arc<[TenantId]>,
    bodies: Arc<[Arc<str>]>,
}

impl Pen {
    fn of(stage: &Stage) -> Self {
        Self {
            db: stage.publisher.app.clone(),
            clock: stage.clock.clone(),
            tenants: stage.tenants.clone(),
            bodies: stage.bodies.clone(),
        }
    }

    /// One transaction, in one flush.
    async fn write(&self, events: usize) -> anyhow::Result<()> {
        let tenant = *self.tenants.choose(&mut rand::rng()).context("a tenant")?;
        let item = new_id();
        let mut scope = SCOPE.scope(tenant, BUDGET);
        let mut tx = self.db.begin(&mut scope);
        tx.defer(
            "insert into publisher.item (tenant_id, id, version) values ($1, $2, $3)",
            stoa_kernel::params![tenant.uuid(), item, i64::try_from(events)?],
        );
        for version in 1..=i64::try_from(events)? {
            let body = self.bodies.choose(&mut rand::rng()).context("a body")?.clone();
            stoa_eventlog::append(&mut tx, &self.clock, &ItemChanged { item, version, body })?;
        }
        tx.commit().await.context("committing events")?;
        Ok(())
    }
}

/// Lets the writers through while the backlog is small.
pub(super) struct Gate {
    open: watch::Receiver<bool>,
    watcher: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Gate {
    /// Open while fewer than `limit` events wait for the slowest consumer.
    pub(super) fn below(stage: &Arc<Stage>, limit: i64) -> Self {
        let (sender, open) = watch::channel(true);
        let (stage, stop) = (stage.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let watcher = tokio::spawn(async move {
            while !stopped.is_cancelled() {
                let backlog = stage.position().await?.backlog();
                sender.send_replace(backlog < limit);
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        });
        Self { open, watcher, stop }
    }

    /// What the writers wait for.
    pub(super) fn open(&self) -> watch::Receiver<bool> {
        self.open.clone()
    }

    /// Stops looking.
    ///
    /// # Errors
    /// When looking failed.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.watcher.await?
    }
}
