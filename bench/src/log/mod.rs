//! `log`: how many events a second pass through the event log with three consumers, and how long each takes.

mod disk;
mod stage;
mod watch;
mod writers;

use crate::database::Postgres;
use crate::report::{Figure, Report};
use crate::statistics::median;
use anyhow::ensure;
use clap::Args;
use stage::{CONSUMERS, Stage};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use watch::Passage;
use writers::Gate;

/// Before each window: connections, prepared statements, caches.
const WARM_UP: Duration = Duration::from_secs(2);

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Seconds of each part: of all repetitions at full load together, and of the part at a steady rate.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Windows at full load, each followed by the peer's.
    #[arg(long, default_value_t = 3)]
    repetitions: u64,
    /// Events in one transaction.
    #[arg(long, default_value_t = 10)]
    events: usize,
    /// Writers at the same time.
    #[arg(long, default_value_t = 8)]
    writers: usize,
    /// Bytes of one event as JSON.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// The backlog, in events, at which the writers wait at full load.
    #[arg(long, default_value_t = 5_000)]
    backlog: i64,
    /// The steady rate at which times are taken, as a share of the full load.
    #[arg(long, default_value_t = 0.5)]
    share: f64,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            seconds: 6,
            repetitions: 2,
            events: 10,
            writers: 8,
            bytes: 1024,
            backlog: 5_000,
            share: 0.5,
        }
    }
}

/// Measures and reports.
///
/// # Errors
/// When an event had not exactly one effect with each consumer, or a result cannot be written.
pub async fn run(options: &Options, data: &Path, report: &Report) -> anyhow::Result<()> {
    // Commit times are what the passage of an event is read from; the peer pays for them too.
    let postgres = Postgres::start(data, &[("track_commit_timestamp", "on")]).await?;
    let log = Arc::new(Stage::prepare(&postgres, "log", options.bytes).await?);
    let bare = Stage::prepare(&postgres, "bare", options.bytes).await?;
    let window = Duration::from_secs((options.seconds / options.repetitions).max(1));
    let mut full = Full::default();
    for _ in 0..options.repetitions {
        full.log.push(full_load(&log, options, window).await?);
        full.bare.push(bare_load(&bare, options, window).await?);
        full.flushes
            .push(disk::flushes_per_second(postgres.folder()).await?);
    }
    let rate = median(&full.rates()) * options.share;
    let steady = steady_load(&log, options, rate).await?;
    report.add("log", &figures(options, &full, &steady))?;
    drop((log, bare));
    postgres.stop().await
}

/// What the repetitions at full load found.
#[derive(Debug, Default)]
struct Full {
    log: Vec<Flow>,
    /// Events a second.
    bare: Vec<f64>,
    flushes: Vec<f64>,
}

/// One window of the log at full load.
#[derive(Debug)]
struct Flow {
    /// Events a second that all consumers handled.
    rate: f64,
    /// Events waiting at the end of the window more than at its beginning.
    growth: f64,
}

impl Full {
    fn rates(&self) -> Vec<f64> {
        self.log.iter().map(|flow| flow.rate).collect()
    }

    fn growths(&self) -> Vec<f64> {
        self.log.iter().map(|flow| flow.growth).collect()
    }
}

/// What the part at a steady rate found.
struct Steady {
    rate: f64,
    publish: crate::statistics::Durations,
    passage: Passage,
}

/// The writers write as fast as the backlog stays where it is.
async fn full_load(stage: &Arc<Stage>, options: &Options, window: Duration) -> anyhow::Result<Flow> {
    let consumers = stage.consume();
    let gate = Gate::below(stage, options.backlog);
    let writers = writers::flat_out(stage, options.writers, options.events, Some(gate.open()));
    tokio::time::sleep(WARM_UP).await;
    let before = stage.position().await?;
    tokio::time::sleep(window).await;
    let after = stage.position().await?;
    writers.stop().await?;
    gate.stop().await?;
    stage.drained().await?;
    consumers.stop().await?;
    let seconds = (after.at - before.at).as_secs_f64();
    Ok(Flow {
        rate: (after.handled - before.handled) as f64 / seconds,
        growth: (after.backlog() - before.backlog()) as f64,
    })
}

/// The same writers without ticks and consumers.
async fn bare_load(stage: &Stage, options: &Options, window: Duration) -> anyhow::Result<f64> {
    let writers = writers::flat_out(stage, options.writers, options.events, None);
    tokio::time::sleep(WARM_UP).await;
    let before = stage.position().await?;
    tokio::time::sleep(window).await;
    let after = stage.position().await?;
    writers.stop().await?;
    Ok((after.written - before.written) as f64 / (after.at - before.at).as_secs_f64())
}

async fn steady_load(stage: &Stage, options: &Options, rate: f64) -> anyhow::Result<Steady> {
    let consumers = stage.consume();
    let writers = writers::steady(stage, options.writers, options.events, rate);
    tokio::time::sleep(WARM_UP).await;
    writers.forget_times();
    let from = stage.database_time().await?;
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let until = stage.database_time().await?;
    let publish = writers.times()?;
    writers.stop().await?;
    stage.drained().await?;
    consumers.stop().await?;
    let passage = stage.passage(from, until).await?;
    let expected = passage.events * CONSUMERS.len() as i64;
    ensure!(
        passage.effects == expected,
        "{} events had {} effects instead of {expected}",
        passage.events,
        passage.effects
    );
    Ok(Steady {
        rate: passage.events as f64 / options.seconds as f64,
        publish,
        passage,
    })
}

fn figures(options: &Options, full: &Full, steady: &Steady) -> Vec<Figure> {
    let rates = full.rates();
    let bare = median(&full.bare);
    let commits = median(&rates) / options.events as f64;
    let at = format!("at {:.0} events/s", steady.rate);
    let Steady { publish, passage, .. } = steady;
    vec![
        Figure::new(
            "events through 3 consumers, backlog flat",
            median(&rates),
            "events/s",
        )
        .against("the same inserts without ticks and consumers", bare)
        .of(&rates),
        Figure::new(
            "growth of the backlog meanwhile",
            median(&full.growths()),
            "events",
        )
        .of(&full.growths()),
        Figure::new("commits meanwhile", commits, "/s")
            .against("write and fdatasync of 8 KiB", median(&full.flushes)),
        Figure::new(
            format!("publish (commit) p50, {at}"),
            publish.millis_at(0.5),
            "ms",
        ),
        Figure::new(
            format!("publish (commit) p99, {at}"),
            publish.millis_at(0.99),
            "ms",
        )
        .below(10.0),
        Figure::new(
            format!("process (commit to effect's commit) p50, {at}"),
            passage.p50_ms,
            "ms",
        ),
        Figure::new(
            format!("process (commit to effect's commit) p99, {at}"),
            passage.p99_ms,
            "ms",
        )
        .below(100.0),
        Figure::new(format!("process, longest, {at}"), passage.longest_ms, "ms"),
    ]
}
