//! A private PostgreSQL cluster in a data folder, reached over a unix socket only.
//!
//! `stoa up` runs its database this way, and so do the tests and the benchmarks. The server is a child of
//! this process in its own process group; nothing listens on TCP. The data folder holds:
//!
//! | entry               | what                                                                  |
//! |---------------------|-----------------------------------------------------------------------|
//! | `cluster.lock`      | locked (flock) while a process uses the folder                        |
//! | `pg/`               | PostgreSQL's data directory; complete as soon as it exists            |
//! | `pg.tmp-*`          | an initdb that is running or was interrupted; removed at next start   |
//! | `postgres.log`      | what the server logs (`postgres.log.1`: the one before)               |
//! | `run/`              | the socket (elsewhere when the path is too long for a socket address) |
//! | `superuser.password`| the superuser's password, mode 0600                                   |

mod binaries;
mod cluster;
mod error;
mod folder;
mod init;
mod leftover;
mod log;
mod options;
mod owner;
mod process;
mod readiness;
mod socket;

pub use binaries::{OLDEST_MAJOR, ServerBinaries, find_server};
pub use cluster::{Cluster, SUPERUSER};
pub use error::Error;
pub use options::{Durability, Options, Progress, StopMode};
