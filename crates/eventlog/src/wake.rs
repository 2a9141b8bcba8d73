//! Wakes within this process: a commit wakes the ticker, a tick wakes the consumers, a consumer that has moved wakes
//! the readers that wait for it.
//!
//! The signals are the process's, not a database's: with several databases a wake may be for nothing, which costs one
//! look.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

static WRITTEN: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
static QUEUED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
static TICKED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
/// By consumer, so that one that moves wakes its own readers only.
static MOVED: LazyLock<Mutex<HashMap<&'static str, watch::Sender<u64>>>> = LazyLock::new(Mutex::default);

/// A job was queued and committed: its service's workers look.
pub(crate) fn queued() {
    QUEUED.send_modify(|n| *n = n.wrapping_add(1));
}

/// Changes after every commit that queued a job.
pub(crate) fn on_queued() -> watch::Receiver<u64> {
    QUEUED.subscribe()
}

/// Something was appended and committed. A plain `fn`, as [`stoa_kernel::db::Tx::after_commit`] takes it.
pub(crate) fn written() {
    WRITTEN.send_modify(|n| *n = n.wrapping_add(1));
}

/// Changes after every commit that appended.
pub(crate) fn on_written() -> watch::Receiver<u64> {
    WRITTEN.subscribe()
}

/// A tick was recorded, here or in another process.
pub(crate) fn ticked() {
    TICKED.send_modify(|n| *n = n.wrapping_add(1));
}

/// Changes after every tick.
pub(crate) fn on_ticked() -> watch::Receiver<u64> {
    TICKED.subscribe()
}

/// For a consumer that runs here: what it raises whenever its position has moved.
pub(crate) fn mover(consumer: &'static str) -> watch::Sender<u64> {
    movers()
        .entry(consumer)
        .or_insert_with(|| watch::Sender::new(0))
        .clone()
}

/// Changes whenever the consumer has moved in this process; `None` when it has never run here.
pub(crate) fn on_moved(consumer: &str) -> Option<watch::Receiver<u64>> {
    movers().get(consumer).map(watch::Sender::subscribe)
}

fn movers() -> MutexGuard<'static, HashMap<&'static str, watch::Sender<u64>>> {
    MOVED.lock().unwrap_or_else(PoisonError::into_inner)
}
