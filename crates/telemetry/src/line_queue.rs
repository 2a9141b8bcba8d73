//! Log lines on their way out: threads append to a bounded buffer, one thread writes it.
//!
//! A slow or stuck reader of standard output therefore costs log lines (counted), never request time.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Error;

/// Bytes that may wait; beyond, lines are dropped.
const CAPACITY: usize = 4 << 20;
/// Buffers that grew beyond this in a burst are given back.
const KEEP: usize = 256 << 10;
/// How long the writer gathers lines after the first, so that a busy process pays one wake-up and one
/// write a millisecond and not one a line.
const GATHER: Duration = Duration::from_millis(1);

/// Where log layers put finished lines.
pub(crate) struct LineQueue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Tells the writer that there is work.
    work: Condvar,
    /// Tells [`LineQueue::flush`] that lines were written.
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines taken in since the start.
    accepted: u64,
    /// Of those, lines that left the buffer, written or failed.
    done: u64,
    writer_idle: bool,
    /// Somebody waits in `flush`: do not gather.
    urgent: bool,
    closed: bool,
}

impl LineQueue {
    pub(crate) fn start(out: Box<dyn Write + Send>) -> Result<Self, Error> {
        let name = "stoa-log";
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            work: Condvar::new(),
            written: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || writer.run(out))
            .map_err(|source| Error::Thread { name, source })?;
        Ok(Self { shared })
    }

    /// Takes in one line (with its line feed), or counts it as dropped. Never waits for the output.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.shared.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            drop(state);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.accepted += 1;
        if std::mem::take(&mut state.writer_idle) {
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Lines lost since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every line taken in so far is out; `false` when that takes longer than `limit`.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.shared.lock();
        let target = state.accepted;
        state.urgent = true;
        self.shared.work.notify_one();
        let waited = self
            .shared
            .written
            .wait_timeout_while(state, limit, |state| state.done < target);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for LineQueue {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
    }
}

impl fmt::Debug for LineQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineQueue")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut out: Box<dyn Write + Send>) {
        let mut batch = Vec::new();
        while let Some((upto, count)) = self.next_batch(&mut batch) {
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                // Nobody is left to tell: the log is where it would be said.
                self.dropped.fetch_add(count, Ordering::Relaxed);
            }
            batch.clear();
            batch.shrink_to(KEEP);
            self.lock().done = upto;
            self.written.notify_all();
        }
    }

    /// Swaps the waiting lines into `batch`; gives the number of the last and how many they are.
    fn next_batch(&self, batch: &mut Vec<u8>) -> Option<(u64, u64)> {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state.writer_idle = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer_idle = false;
        let gathered = self
            .work
            .wait_timeout_while(state, GATHER, |state| !state.urgent && !state.closed);
        let mut state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        state.urgent = false;
        std::mem::swap(&mut state.waiting, batch);
        Some((state.accepted, state.accepted - state.done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// An output that is stuck until the test lets it go.
    struct Stuck(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    // covers: OB-04
    #[test]
    fn a_stuck_output_drops_lines_and_blocks_nobody() {
        let (release, held) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let queue = LineQueue::start(Box::new(Stuck(held, Arc::clone(&seen)))).unwrap();
        let line = [b'x'; 1024];
        let sent = 3 * (CAPACITY / line.len()) as u64;
        for _ in 0..sent {
            queue.push(&line);
        }
        assert!(queue.dropped() > 0);
        assert!(!queue.flush(Duration::from_millis(20)));
        drop(release);
        assert!(queue.flush(Duration::from_secs(10)));
        let written = (seen.lock().unwrap().len() / line.len()) as u64;
        assert_eq!(written + queue.dropped(), sent);
    }
}
