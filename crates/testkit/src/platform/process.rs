//! One process of a platform.

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// One process of a platform, killed when dropped.
pub struct Process {
    /// The services in it.
    pub services: Vec<String>,
    /// Its admin listener.
    pub admin: SocketAddr,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Process {
    pub(super) fn start(
        binary: &Path,
        services: &[String],
        config: &Path,
        folder: &Path,
        admin: SocketAddr,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{}.log", services.join("+")));
        let child = spawn(binary, services, config, &log)?;
        Ok(Self {
            services: services.to_vec(),
            admin,
            binary: binary.to_owned(),
            config: config.to_owned(),
            log,
            child,
        })
    }

    /// Waits until the probe answers that it is ready.
    ///
    /// # Errors
    /// When it ended or is not ready within `bound`, with the end of its log.
    pub async fn ready(&self, bound: Duration) -> anyhow::Result<()> {
        let give_up = Instant::now() + bound;
        let url = format!("http://{}/health/ready", self.admin);
        loop {
            if let Ok(response) = reqwest::get(&url).await
                && response.status().is_success()
            {
                return Ok(());
            }
            if !self.alive() {
                bail!(
                    "{} ended while starting; its log:\n{}",
                    self.services.join("+"),
                    self.tail()
                );
            }
            ensure!(
                Instant::now() < give_up,
                "{} is not ready; its log:\n{}",
                self.services.join("+"),
                self.tail()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Everything that it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it the hard way.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill -9")?;
        self.child.wait().context("waiting for the killed process")?;
        Ok(())
    }

    /// Asks it to stop and waits for its end; returns whether it ended with success.
    ///
    /// # Errors
    /// When it does not end within 15 s.
    pub async fn terminate(&mut self) -> anyhow::Result<bool> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let give_up = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            ensure!(
                Instant::now() < give_up,
                "it does not stop; its log:\n{}",
                self.tail()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it again with the same configuration.
    ///
    /// # Errors
    /// When it cannot be started or does not become ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.binary, &self.services, &self.config, &self.log)?;
        self.ready(Duration::from_secs(60)).await
    }

    fn alive(&self) -> bool {
        // Signal 0 asks only whether it exists; a zombie does, so read its state.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        match stat {
            Ok(text) => !text
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => i32::try_from(self.child.id()).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok()),
        }
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.services.join("+"), self.tail());
        }
    }
}

fn spawn(binary: &Path, services: &[String], config: &Path, log: &Path) -> anyhow::Result<Child> {
    let out = File::options().create(true).append(true).open(log)?;
    Command::new(binary)
        .arg("serve")
        .args(services)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))
}
