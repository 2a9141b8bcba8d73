//! The server process, watched by a thread: a tokio child would die with the runtime that started it.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use std::{io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

/// How long dropping may block; an immediate stop takes some ten milliseconds.
const DROP: Duration = Duration::from_secs(3);

/// A child process whose end can be awaited from any runtime, any number of times. Dropping it ends it: an error, or a
/// future that is dropped, in the middle of a start leaves no server behind.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Process {
    /// Starts `command`.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let (exit_sender, exit) = watch::channel(None);
        let (ended_sender, ended) = mpsc::channel();
        let mut child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let watcher = thread::Builder::new()
            .name("pgcluster-watch".into())
            .spawn(move || {
                // Waiting fails only if the process was reaped elsewhere; it is gone, with a status that nobody knows.
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0xff00));
                exit_sender.send_replace(Some(status));
                // Nobody may be listening.
                let _ = ended_sender.send(());
            });
        if let Err(error) = watcher {
            let _ = kill(pid, Signal::SIGQUIT);
            return Err(error);
        }
        Ok(Self {
            pid,
            exit,
            ended: Mutex::new(ended),
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// How the process ended, if it did.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits for the end of the process.
    pub(crate) async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status);
        status.unwrap_or_else(|| ExitStatus::from_raw(0xff00))
    }

    /// Sends a signal unless the process has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended().is_none() {
            // It may have ended since; then there is nothing left to do.
            let _ = kill(self.pid, signal);
        }
    }

    /// Blocks until the process has ended; false after `limit`.
    fn block_until_ended(&self, limit: Duration) -> bool {
        if self.ended().is_some() {
            return true;
        }
        let Ok(ended) = self.ended.lock() else {
            return false;
        };
        ended.recv_timeout(limit).is_ok() || self.ended().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGQUIT);
        if !self.block_until_ended(DROP) {
            self.signal(Signal::SIGKILL);
        }
    }
}
