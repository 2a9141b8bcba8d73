//! How a cluster is to be run.

use std::path::PathBuf;
use std::time::Duration;

use crate::ServerBinaries;

/// What a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    Durable,
    /// Everything: no fsync at all. For tests and benchmarks only.
    Ephemeral,
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, rolls back what is open, writes a checkpoint (SIGINT).
    Fast,
    /// Ends at once; the next start replays the log (SIGQUIT).
    Immediate,
}

/// What a start is doing, for a person who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A new database is being made (seconds).
    Initializing,
    /// A server that an earlier process left behind is being stopped.
    StoppingLeftover {
        /// Its process id.
        pid: i32,
    },
    /// The server was started and does not answer yet.
    Starting,
    /// The last server did not shut down; this one replays its log before it accepts connections.
    Recovering,
    /// The server accepts connections.
    Ready,
}

/// How to run a cluster. [`Options::new`] gives the defaults of production.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; made when it does not exist.
    pub data_dir: PathBuf,
    /// Server settings (`name`, `value`), as in `postgresql.conf`; they win over this crate's own.
    pub settings: Vec<(String, String)>,
    /// Whether committed data must survive a crash of the machine.
    pub durability: Durability,
    /// The number in the socket's file name; no TCP port is opened. 5432 when none is given.
    pub port: Option<u16>,
    /// The server to run. When none is given: what [`crate::find_server`] finds, in the data's major version.
    pub binaries: Option<ServerBinaries>,
    /// How long a starting server may be silent. Replaying the log does not count: the server answers meanwhile.
    pub start_timeout: Duration,
}

impl Options {
    /// Durable, default settings, in `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            settings: Vec::new(),
            durability: Durability::Durable,
            port: None,
            binaries: None,
            start_timeout: Duration::from_secs(60),
        }
    }
}
