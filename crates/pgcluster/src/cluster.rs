//! A running cluster: start, watch, stop.

use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep, timeout};

use crate::folder::{Folder, FolderLock};
use crate::log::Log;
use crate::owner::Owner;
use crate::process::Process;
use crate::readiness::{Answer, ask};
use crate::socket::SocketDir;
use crate::{Durability, Error, Options, Progress, ServerBinaries, StopMode};
use crate::{binaries, init, leftover};

/// The name of the cluster's superuser.
pub const SUPERUSER: &str = "stoa_admin";

const DEFAULT_PORT: u16 = 5432;
/// How long to wait between two questions whether the server is ready.
const POLL: Duration = Duration::from_millis(15);
/// How long backends of a killed server may take to let go of its shared memory.
const ORPHANS: Duration = Duration::from_secs(15);
/// How long a stop may take before it is made harsher. A fast stop writes a checkpoint.
const FAST_STOP: Duration = Duration::from_secs(60);
const IMMEDIATE_STOP: Duration = Duration::from_secs(10);

/// A running PostgreSQL server in a data folder, for this process alone.
///
/// Call [`Cluster::stop`] when done: dropping ends the server without a checkpoint.
pub struct Cluster {
    // The order matters: the server ends, its socket's folder goes, then the data folder is released.
    process: Process,
    socket: SocketDir,
    log: Log,
    port: u16,
    password: String,
    major: u32,
    _lock: FolderLock,
}

impl Cluster {
    /// Starts the cluster in `options.data_dir`, making the database first if there is none, and returns when it
    /// accepts connections. Recovers from whatever a killed predecessor left, including its running server.
    /// `progress` is told of each step.
    ///
    /// # Errors
    /// Whatever [`Error`] lists; nothing keeps running after an error.
    pub async fn start(options: Options, progress: impl Fn(Progress) + Send + Sync) -> Result<Self, Error> {
        let folder = Folder::open(&options.data_dir)?;
        let owner = Owner::resolve(&folder.pgdata())?;
        folder.hand_over(&owner)?;
        let lock = folder.lock()?;
        let version = init::existing_version(&folder)?;
        let binaries = choose_binaries(&options, version.as_deref(), &folder.pgdata())?;
        owner.check_reach(&binaries.program("postgres"))?;
        let password = folder.password(&owner)?;
        if version.is_none() {
            progress(Progress::Initializing);
            init::initialize(&folder, &owner, &binaries, options.durability).await?;
        }
        leftover::clear(&folder, &progress).await?;
        let crashed = leftover::was_killed(&folder.pgdata());
        let socket = SocketDir::open(&folder, &owner)?;
        let port = options.port.unwrap_or(DEFAULT_PORT);
        let launch = Launch {
            folder: &folder,
            owner: &owner,
            binaries: &binaries,
            options: &options,
            crashed,
        };
        let (process, log) = launch.run(&socket, port, &password, &progress).await?;
        progress(Progress::Ready);
        Ok(Self {
            process,
            log,
            socket,
            port,
            password,
            major: binaries.major(),
            _lock: lock,
        })
    }

    /// Waits until the server ends without having been asked to, and tells how it ended ([`Error::ServerExited`]).
    /// Drop the cluster and start it again, or give up.
    pub async fn wait(&self) -> Error {
        let status = self.process.wait().await;
        Error::ServerExited {
            status,
            log: self.log.path().to_path_buf(),
            tail: self.log.tail(),
        }
    }

    /// Stops the server and returns when it has ended. Becomes harsher when it takes too long.
    ///
    /// # Errors
    /// [`Error::WillNotStop`] when even SIGKILL did not help.
    pub async fn stop(self, mode: StopMode) -> Result<(), Error> {
        let steps = [
            (Signal::SIGINT, FAST_STOP),
            (Signal::SIGQUIT, IMMEDIATE_STOP),
            (Signal::SIGKILL, IMMEDIATE_STOP),
        ];
        let skip = usize::from(mode == StopMode::Immediate);
        for (signal, patience) in steps.into_iter().skip(skip) {
            self.process.signal(signal);
            if timeout(patience, self.process.wait()).await.is_ok() {
                return Ok(());
            }
            tracing::warn!(%signal, ?patience, "PostgreSQL did not stop in time");
        }
        Err(Error::WillNotStop {
            pid: self.pid(),
            log: self.log.path().to_path_buf(),
        })
    }

    /// The folder of the socket, to be given as the host.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.socket.path()
    }

    /// The number in the socket's file name, to be given as the port. Nothing listens on TCP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    #[must_use]
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The superuser's password. Never log it.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The postmaster's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// The server's major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The server's log file.
    #[must_use]
    pub fn log_file(&self) -> &Path {
        self.log.path()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("pid", &self.pid())
            .field("socket_dir", &self.socket_dir())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

fn choose_binaries(options: &Options, version: Option<&str>, pgdata: &Path) -> Result<ServerBinaries, Error> {
    match (&options.binaries, version) {
        (None, None) => binaries::find_server(),
        (None, Some(data)) => binaries::find_server_for(data, pgdata),
        (Some(given), Some(data)) if given.major().to_string() != data => Err(Error::VersionMismatch {
            folder: pgdata.to_path_buf(),
            data: data.to_owned(),
            found: given.major().to_string(),
        }),
        (Some(given), _) => Ok(given.clone()),
    }
}

/// What starting a server needs to know.
struct Launch<'a> {
    folder: &'a Folder,
    owner: &'a Owner,
    binaries: &'a ServerBinaries,
    options: &'a Options,
    /// The last server did not shut down, so this one replays its log.
    crashed: bool,
}

impl Launch<'_> {
    /// Starts the server, again if backends of a killed one still hold its shared memory.
    async fn run(
        &self,
        socket: &SocketDir,
        port: u16,
        password: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(Process, Log), Error> {
        let deadline = Instant::now() + ORPHANS;
        loop {
            progress(Progress::Starting);
            match self.attempt(socket, port, password, progress).await {
                Err(Error::ServerExited { tail, .. })
                    if tail.contains("pre-existing shared memory block") && Instant::now() < deadline =>
                {
                    leftover::end_orphans(&self.folder.pgdata());
                    sleep(Duration::from_millis(200)).await;
                }
                result => return result,
            }
        }
    }

    async fn attempt(
        &self,
        socket: &SocketDir,
        port: u16,
        password: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(Process, Log), Error> {
        let (log, file) = Log::open(self.folder.log())?;
        let mut command = self.command(socket, port, file)?;
        let program = self.binaries.program("postgres");
        let process = Process::spawn(&mut command).map_err(Error::io("run", &program))?;
        self.until_ready(&process, &log, socket, port, password, progress)
            .await?;
        Ok((process, log))
    }

    async fn until_ready(
        &self,
        process: &Process,
        log: &Log,
        socket: &SocketDir,
        port: u16,
        password: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), Error> {
        let patience = self.options.start_timeout;
        let mut deadline = Instant::now() + patience;
        let mut told = !self.crashed;
        loop {
            if let Some(status) = process.ended() {
                let (log, tail) = (log.path().to_path_buf(), log.tail());
                return Err(Error::ServerExited { status, log, tail });
            }
            match ask(socket.path(), port, password).await {
                Answer::Ready => return Ok(()),
                Answer::PasswordRefused => {
                    return Err(Error::PasswordRefused {
                        file: self.folder.password_file(),
                    });
                }
                Answer::Starting => {
                    // Replaying a long log takes minutes; as long as the server answers, it is at work.
                    deadline = Instant::now() + patience;
                    if !std::mem::replace(&mut told, true) {
                        progress(Progress::Recovering);
                    }
                }
                Answer::None if Instant::now() > deadline => return Err(not_ready(patience, log)),
                Answer::None => {}
            }
            // Sooner, if the server ends.
            let _ = timeout(POLL, process.wait()).await;
        }
    }

    fn command(&self, socket: &SocketDir, port: u16, log: File) -> Result<Command, Error> {
        let second = log.try_clone().map_err(Error::io("open", &self.folder.log()))?;
        let mut command = Command::new(self.binaries.program("postgres"));
        command.arg("-D").arg(self.folder.pgdata());
        for (name, value) in self.settings(socket, port) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for name in [
            "PGDATA",
            "PGPORT",
            "PGHOST",
            "PGUSER",
            "PGPASSWORD",
            "PGOPTIONS",
            "PGDATABASE",
        ] {
            command.env_remove(name);
        }
        // Its own process group: Ctrl-C at the terminal must not end it before this process has drained.
        command
            .env("LC_ALL", "C")
            .current_dir(self.folder.root())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(second);
        self.owner.apply(&mut command);
        Ok(command)
    }

    /// This crate's settings, then the caller's: the last one given wins.
    fn settings(&self, socket: &SocketDir, port: u16) -> Vec<(String, String)> {
        let socket_dir = socket.path().to_string_lossy().replace('"', "\"\"");
        let mut settings = vec![
            ("listen_addresses", String::new()),
            ("unix_socket_directories", format!("\"{socket_dir}\"")),
            ("port", port.to_string()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
            ("log_line_prefix", "%m [%p] %q%u@%d ".to_owned()),
        ];
        if self.options.durability == Durability::Ephemeral {
            for name in ["fsync", "full_page_writes", "synchronous_commit"] {
                settings.push((name, "off".to_owned()));
            }
        }
        let own = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(self.options.settings.iter().cloned()).collect()
    }
}

fn not_ready(waited: Duration, log: &Log) -> Error {
    Error::NotReady {
        waited,
        log: log.path().to_path_buf(),
        tail: log.tail(),
    }
}
