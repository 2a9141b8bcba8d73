//! The physical limit: how often a second the disk takes a page for good.

use anyhow::Context;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const PAGE: [u8; 8192] = [0x5a; 8192];
/// A write-ahead log segment: written before, as PostgreSQL's are, so that no metadata has to be flushed.
const PAGES: u64 = 2048;
const WINDOW: Duration = Duration::from_secs(2);

/// Writes and flushes (`fdatasync`, PostgreSQL's default on Linux) one page after the other, as one writer would.
///
/// # Errors
/// When the folder cannot be written to.
pub(super) async fn flushes_per_second(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("flush-rate");
    tokio::task::spawn_blocking(move || {
        let measured = measure(&path).with_context(|| format!("flushing to {}", path.display()));
        std::fs::remove_file(&path).context("removing the file of the disk's measurement")?;
        measured
    })
    .await?
}

fn measure(path: &Path) -> std::io::Result<f64> {
    let file = File::create(path)?;
    for page in 0..PAGES {
        file.write_all_at(&PAGE, page * PAGE.len() as u64)?;
    }
    file.sync_all()?;
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < WINDOW {
        file.write_all_at(&PAGE, done % PAGES * PAGE.len() as u64)?;
        file.sync_data()?;
        done += 1;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
