//! Starts the real binary in any topology against a database of its own, and talks to it over sockets only.

mod address;
mod config;
mod process;

pub use address::free as free_address;
pub use config::role_password;
pub use process::Process;

use crate::postgres::TestDatabase;
use anyhow::Context;
use std::path::PathBuf;
use std::time::Duration;

/// How the services are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Everything in one process.
    OneProcess,
    /// gateway | identity + access | organization | customer | every further service by itself.
    Split,
}

impl Topology {
    fn groups(self, services: &[String]) -> Vec<Vec<String>> {
        if self == Self::OneProcess {
            return vec![services.to_vec()];
        }
        let (together, alone): (Vec<_>, Vec<_>) = services
            .iter()
            .cloned()
            .partition(|s| s == "identity" || s == "access");
        alone.into_iter().map(|s| vec![s]).chain([together]).collect()
    }
}

/// A running platform; its processes end with it.
pub struct Platform {
    /// Where the API is: `http://127.x.y.z:port`.
    pub url: String,
    /// Its processes; the gateway's is the first.
    pub processes: Vec<Process>,
    /// A client that follows no redirects.
    pub http: reqwest::Client,
    database: Option<TestDatabase>,
    _folder: Option<tempfile::TempDir>,
}

impl Platform {
    /// Starts the binary on `database`, which is migrated, and waits until every process is ready.
    ///
    /// # Errors
    /// What did not start, with the end of its log.
    pub async fn start(topology: Topology, database: TestDatabase) -> anyhow::Result<Self> {
        Self::start_with(topology, database, "").await
    }

    /// Like [`Platform::start`], with more configuration in TOML.
    ///
    /// # Errors
    /// As [`Platform::start`].
    pub async fn start_with(topology: Topology, database: TestDatabase, extra: &str) -> anyhow::Result<Self> {
        let binary = binary()?;
        let folder = tempfile::tempdir().context("a folder for the platform's files")?;
        let services = config::services(&binary)?;
        let groups = topology.groups(&services);
        let plan = config::Plan::new(&groups, folder.path(), &database, extra)?;
        if topology == Topology::Split {
            plan.write_certificates(&binary)?;
        }
        let mut processes = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let file = plan.write_config(index)?;
            processes.push(Process::start(
                &binary,
                group,
                &file,
                folder.path(),
                plan.admin(index),
            )?);
        }
        processes.sort_by_key(|p| !p.services.iter().any(|s| s == "gateway"));
        for process in &processes {
            process.ready(Duration::from_secs(60)).await?;
        }
        Ok(Self {
            url: plan.public_url(),
            processes,
            http: client()?,
            database: Some(database),
            _folder: Some(folder),
        })
    }

    /// A platform that somebody else runs at `url`, to sign in to.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn elsewhere(url: &str) -> anyhow::Result<Self> {
        Ok(Self {
            url: url.to_owned(),
            processes: Vec::new(),
            http: client()?,
            database: None,
            _folder: None,
        })
    }

    /// The process that runs `service`.
    pub fn process_of(&mut self, service: &str) -> &mut Process {
        self.processes
            .iter_mut()
            .find(|p| p.services.iter().any(|s| s == service))
            .unwrap_or_else(|| panic!("no process runs {service}"))
    }

    /// The platform's database.
    ///
    /// # Panics
    /// When the platform is [elsewhere](Self::elsewhere).
    #[must_use]
    pub fn database(&self) -> &TestDatabase {
        self.database
            .as_ref()
            .expect("a platform with a database of its own")
    }

    /// The URL of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
}

/// The binary beside the test binaries; `STOA_BIN` overrides it.
///
/// # Errors
/// When it was not built.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("STOA_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test.ancestors().find(|dir| dir.join("stoa").is_file());
    folder
        .map(|dir| dir.join("stoa"))
        .with_context(|| "the binary is not built; run `cargo build --bin stoa` first (`make test` does)")
}
