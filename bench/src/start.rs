//! `start`: from exec to ready, and what the process then holds in memory.

use crate::database::{Postgres, connect};
use crate::report::{Figure, Report};
use crate::statistics::median;
use crate::stoa::{DATABASE, Installation};
use anyhow::{Context, ensure};
use clap::Args;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Starts, each followed by the peer's.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// Seconds from ready to the look at the memory.
    #[arg(long, default_value_t = 60)]
    memory_after: u64,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            runs: 3,
            memory_after: 2,
        }
    }
}

/// Measures and reports.
///
/// # Errors
/// When the platform does not start, or a result cannot be written.
pub async fn run(options: &Options, data: &Path, report: &Report) -> anyhow::Result<()> {
    let postgres = Postgres::start(data, &[]).await?;
    let installation = Installation::prepare(&postgres).await?;
    // The first start of each fills the page cache.
    installation.start()?.0.stop()?;
    floor(&installation, &postgres).await?;
    let (mut starts, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let (process, took) = installation.start()?;
        starts.push(millis(took));
        process.stop()?;
        floors.push(millis(floor(&installation, &postgres).await?));
    }
    let (process, _) = installation.start()?;
    tokio::time::sleep(Duration::from_secs(options.memory_after)).await;
    let memory = process.proportional_bytes()? / 1e6;
    process.stop()?;
    let start = Figure::new("exec to ready", median(&starts), "ms")
        .against("stoa --version, then connect and select 1", median(&floors))
        .below(1000.0)
        .of(&starts);
    let idle = format!("memory (PSS), {} s after ready", options.memory_after);
    report.add("start", &[start, Figure::new(idle, memory, "MB").below(80.0)])?;
    postgres.stop().await
}

/// What no start can be quicker than: running the binary at all, and one answer of the database.
async fn floor(installation: &Installation, postgres: &Postgres) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut command = Command::new(&installation.binary);
    let status = command.arg("--version").stdout(Stdio::null()).status();
    ensure!(
        status.context("running stoa --version")?.success(),
        "`stoa --version` failed"
    );
    let client = connect(&postgres.superuser(DATABASE).driver_config()).await?;
    client.query_one("select 1", &[]).await?;
    Ok(start.elapsed())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
