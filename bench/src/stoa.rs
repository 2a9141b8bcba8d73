//! The real binary, built in release mode, against a database of the benchmark's own.

use crate::database::Postgres;
use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The database that the binary works on.
pub const DATABASE: &str = "stoa";
const START_BOUND: Duration = Duration::from_secs(60);
/// How often it is asked whether it is ready.
const PROBE: Duration = Duration::from_micros(500);

/// The password that a role gets here.
#[must_use]
pub fn password(role: &str) -> String {
    format!("bench-{role}")
}

/// The binary with its configuration and a migrated database.
#[derive(Debug)]
pub struct Installation {
    /// The binary.
    pub binary: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The issuer of tokens and the base of URLs.
    pub public_url: String,
    admin: SocketAddr,
    config: PathBuf,
    folder: tempfile::TempDir,
}

impl Installation {
    /// Makes the database on `postgres` and migrates it with the binary.
    ///
    /// # Errors
    /// When the binary was not built, or does not migrate.
    pub async fn prepare(postgres: &Postgres) -> anyhow::Result<Self> {
        let binary = stoa_testkit::platform::binary()
            .context("build it with `cargo build --release --bin stoa`; STOA_BIN may name another")?;
        postgres.create_database(DATABASE).await?;
        let (listen, admin) = (free()?, free()?);
        let folder = tempfile::tempdir().context("a folder for the configuration")?;
        let public_url = format!("http://{listen}");
        let config = folder.path().join("stoa.toml");
        let text = configuration(postgres, &services(&binary)?, listen, admin)?;
        std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
        let installation = Self {
            binary,
            listen,
            public_url,
            admin,
            config,
            folder,
        };
        installation.migrate()?;
        Ok(installation)
    }

    fn migrate(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        let output = command
            .arg("migrate")
            .arg("--config")
            .arg(&self.config)
            .output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`stoa migrate` failed: {complaint}");
        Ok(())
    }

    /// Asks the running platform for `path`.
    ///
    /// # Errors
    /// When the answer is not 200.
    pub fn get(&self, path: &str) -> anyhow::Result<()> {
        ensure!(
            answers_well(self.listen, path),
            "{path} was not answered with 200"
        );
        Ok(())
    }

    /// Starts the binary and waits until it is ready; tells how long that took from before its exec.
    ///
    /// # Errors
    /// When it does not become ready, with the end of its log.
    pub fn start(&self) -> anyhow::Result<(Process, Duration)> {
        self.run(&[])
    }

    /// As [`Installation::start`], with that many threads for all work.
    ///
    /// # Errors
    /// As [`Installation::start`].
    pub fn start_with_workers(&self, workers: usize) -> anyhow::Result<(Process, Duration)> {
        self.run(&[("TOKIO_WORKER_THREADS", workers.to_string())])
    }

    fn run(&self, environment: &[(&str, String)]) -> anyhow::Result<(Process, Duration)> {
        let log = self.folder.path().join("stoa.log");
        let out = std::fs::File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(&self.config);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let start = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let mut process = Process { child };
        while !answers_well(self.admin, "/health/ready") {
            if start.elapsed() > START_BOUND || process.has_ended()? {
                bail!("stoa does not become ready; its log ends:\n{}", tail(&log));
            }
            std::thread::park_timeout(PROBE);
        }
        Ok((process, start.elapsed()))
    }
}

/// A running platform; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its proportional set size in bytes: what it holds itself, and its share of what is shared.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn proportional_bytes(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/smaps_rollup", self.pid());
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("{path} has no Pss"))? * 1024.0)
    }

    /// Asks it to stop and waits for its end. How it ends is not what is measured here.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid())?), Signal::SIGTERM)?;
        self.child.wait().context("waiting for stoa to stop")?;
        Ok(())
    }

    fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self
            .child
            .try_wait()
            .context("looking whether stoa runs")?
            .is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

fn services(binary: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new(binary)
        .arg("services")
        .output()
        .context("asking the binary for its services")?;
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect())
}

fn configuration(
    postgres: &Postgres,
    services: &[String],
    listen: SocketAddr,
    admin: SocketAddr,
) -> anyhow::Result<String> {
    let superuser = postgres.superuser(DATABASE);
    let mut text = format!(
        "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\npublic_url = \"http://{listen}\"\n\
         private_upstreams = true\n\
         [database]\nhost = {host:?}\nport = {port}\nname = \"{DATABASE}\"\nmax_connections = 8\n\
         migrate_user = {user:?}\nmigrate_password = {password:?}\n\
         [telemetry]\nformat = \"json\"\ninstance = \"bench\"\n",
        host = superuser.host,
        port = superuser.port,
        user = superuser.user,
        password = superuser.password,
    );
    for service in services {
        let (app, system) = (format!("stoa_{service}_app"), format!("stoa_{service}_system"));
        write!(
            text,
            "[services.{service}]\napp_password = {:?}\nsystem_password = {:?}\n",
            password(&app),
            password(&system)
        )?;
    }
    Ok(text)
}

fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?)
}

/// One short request on a connection of its own: a client with a pool would cost more than what is measured.
fn answers_well(server: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let skip = lines.len().saturating_sub(25);
    lines.into_iter().skip(skip).collect::<Vec<_>>().join("\n")
}
