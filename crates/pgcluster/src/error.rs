//! What can go wrong with a cluster, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why a cluster cannot be started, used or stopped. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable PostgreSQL server is installed.
    #[error(
        "no PostgreSQL server {oldest} or newer was found (looked in: {searched}). Install one: \
         `apt-get install postgresql-15` on Debian or Ubuntu, `brew install postgresql@17` on macOS \
         (`make up` does it for you), or set STOA_PG_BIN to the folder that holds initdb, postgres and pg_ctl"
    )]
    ServerNotFound {
        /// The oldest major version that is accepted.
        oldest: u32,
        /// The places that were searched, with what was wrong with them.
        searched: String,
    },
    /// STOA_PG_BIN is set, but is of no use.
    #[error("STOA_PG_BIN is {folder}, which cannot be used: {reason}. Correct it or unset it")]
    UnusableFolder {
        /// The value of the variable.
        folder: PathBuf,
        /// What is wrong with the folder.
        reason: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The folder holds something else.
    #[error(
        "{folder} is not empty and is not a Stoa data folder (it holds {found}). Choose an empty or new folder"
    )]
    NotADataFolder {
        /// The folder that was given.
        folder: PathBuf,
        /// An entry that does not belong into a data folder.
        found: String,
    },
    /// Another process uses the data folder.
    #[error(
        "the data folder {folder} is in use by process {holder}. Stop that process, or choose another data folder"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process id that the holder wrote down, or "unknown".
        holder: String,
    },
    /// The server's user cannot reach a path.
    #[error(
        "PostgreSQL does not run as root, so it runs as user {user}, who cannot enter {folder} on the way to \
         {target}. Run `chmod o+x {folder}`, or choose a data folder elsewhere (for example below /var/lib), or do \
         not run as root"
    )]
    NotTraversable {
        /// The folder that lacks the permission.
        folder: PathBuf,
        /// What is to be reached.
        target: PathBuf,
        /// The user the server runs as.
        user: String,
    },
    /// Running as root, and there is no user to drop to.
    #[error(
        "PostgreSQL does not run as root and neither user `postgres` nor `nobody` exists. Create one \
         (`useradd --system postgres`), or do not run as root"
    )]
    NoUnprivilegedUser,
    /// The data was written by another major version.
    #[error(
        "the data in {folder} was made by PostgreSQL {data}, but only PostgreSQL {found} is installed. Install \
         PostgreSQL {data} beside it (`apt-get install postgresql-{data}` or `brew install postgresql@{data}`), or \
         move the data to the new version with pg_upgrade or a dump and restore, or begin with an empty data folder"
    )]
    VersionMismatch {
        /// PostgreSQL's data directory.
        folder: PathBuf,
        /// The major version that made it.
        data: String,
        /// The major versions that are installed.
        found: String,
    },
    /// The data directory exists, its password does not.
    #[error(
        "{file}, the superuser's password, is missing or empty although the database exists. Restore the file from a \
         backup, or set a new password in single-user mode (`postgres --single`) and write it to the file"
    )]
    PasswordLost {
        /// Where the password is expected.
        file: PathBuf,
    },
    /// The server refused the password.
    #[error(
        "the server refused the superuser's password in {file}. Restore the file that belongs to this data folder"
    )]
    PasswordRefused {
        /// Where the password was read.
        file: PathBuf,
    },
    /// initdb failed.
    #[error("initdb could not make a database in {folder} ({status}): {output}")]
    InitFailed {
        /// The data folder.
        folder: PathBuf,
        /// How initdb ended.
        status: ExitStatus,
        /// The end of what it wrote.
        output: String,
    },
    /// The server ended.
    #[error("PostgreSQL ended ({status}). Its log is {log}, which ends with:\n{tail}")]
    ServerExited {
        /// How the server process ended.
        status: ExitStatus,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The server runs but does not answer.
    #[error("PostgreSQL did not answer within {waited:?}. Its log is {log}, which ends with:\n{tail}")]
    NotReady {
        /// How long it was silent.
        waited: Duration,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A server does not stop.
    #[error(
        "the PostgreSQL server with process id {pid} does not stop. Look into {log}, then end it with `kill -9 {pid}`"
    )]
    WillNotStop {
        /// The postmaster's process id.
        pid: i32,
        /// The log file.
        log: PathBuf,
    },
}

impl Error {
    /// Makes a `map_err` argument out of what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}
