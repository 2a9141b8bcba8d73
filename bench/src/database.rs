//! A durable PostgreSQL of the benchmarks' own, set up as `stoa up` sets up its.

use anyhow::Context;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use stoa_kernel::db::ConnectOptions;
use stoa_pgcluster::{Cluster, Options, StopMode};
use tokio_postgres::{Client, Config, NoTls};

/// A running server; it and its files go when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    // The order matters: the server ends before its files are removed.
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// Makes and starts a server with its data in a new folder below `parent`, which decides on the disk. `settings` are
    /// added to those of `stoa up`.
    ///
    /// # Errors
    /// When no PostgreSQL is installed, or it does not start.
    pub async fn start(parent: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        // The server may run as another user than this process.
        let folder = tempfile::Builder::new()
            .prefix("pg-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(parent.canonicalize()?)
            .with_context(|| format!("making a folder in {}", parent.display()))?;
        let mut options = Options::new(folder.path().join("data"));
        let common = [
            ("max_connections", "200"),
            ("shared_buffers", "128MB"),
            ("log_min_messages", "warning"),
        ];
        let all = common.iter().chain(settings);
        options.settings = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let cluster = Cluster::start(options, |_| {}).await?;
        Ok(Self { cluster, folder })
    }

    /// The postmaster's process id; the backends are its children.
    ///
    /// # Errors
    /// Never in practice.
    pub fn pid(&self) -> anyhow::Result<u32> {
        u32::try_from(self.cluster.pid()).context("the postmaster's process id")
    }

    /// The folder that holds the data, for what must be on the same disk.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How `user` connects to `database`.
    #[must_use]
    pub fn options(&self, user: &str, password: &str, database: &str) -> ConnectOptions {
        ConnectOptions {
            host: self.cluster.socket_dir().display().to_string(),
            port: self.cluster.port(),
            dbname: database.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            max_connections: 8,
            statement_timeout: Duration::from_secs(5),
            application_name: "stoa-bench".to_owned(),
            on_connect: None,
        }
    }

    /// How the superuser connects to `database`; its statements may last.
    #[must_use]
    pub fn superuser(&self, database: &str) -> ConnectOptions {
        let cluster = &self.cluster;
        ConnectOptions {
            statement_timeout: Duration::from_secs(3600),
            ..self.options(cluster.superuser(), cluster.password(), database)
        }
    }

    /// A connection of the superuser, for preparing and inspecting.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn admin(&self, database: &str) -> anyhow::Result<Client> {
        connect(&self.superuser(database).driver_config()).await
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<()> {
        let admin = self.admin("postgres").await?;
        let create = format!("create database {name}");
        admin.batch_execute(&create).await.with_context(|| create.clone())
    }

    /// Stops the server and removes its files.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(self.cluster.stop(StopMode::Fast).await?)
    }
}

/// Connects and drives the connection in the background.
///
/// # Errors
/// When the server refuses.
pub async fn connect(config: &Config) -> anyhow::Result<Client> {
    let (client, connection) = config.connect(NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(async move {
        // The client sees the same error at its next statement.
        connection.await.ok();
    });
    Ok(client)
}
