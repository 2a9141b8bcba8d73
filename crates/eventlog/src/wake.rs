//! Wakes within this process: a commit wakes the ticker, a tick wakes the consumers.
//!
//! The signals are the process's, not a database's: with several databases a wake may be for nothing, which costs one
//! look.

use std::sync::LazyLock;
use tokio::sync::watch;

static WRITTEN: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));
static TICKED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

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
