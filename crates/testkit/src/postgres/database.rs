//! Databases on a test server, and how to reach them.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::{Client, Config, NoTls};

use super::janitor::Janitor;

/// How to reach a server; the same after a restart.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) socket_dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) superuser: String,
    pub(crate) password: String,
    pub(crate) log_file: PathBuf,
}

impl Endpoint {
    /// Runs one statement in the maintenance database as the superuser.
    pub(crate) async fn execute(self: &Arc<Self>, statement: &str) -> anyhow::Result<()> {
        let maintenance = Database::new(Arc::clone(self), "postgres".to_owned());
        let client = maintenance.connect_as_superuser().await?;
        client
            .batch_execute(statement)
            .await
            .with_context(|| format!("run `{statement}` on the test server"))
    }
}

/// A database on a test server: its name and how to reach it. Cloning copies the address only.
#[derive(Debug, Clone)]
pub struct Database {
    endpoint: Arc<Endpoint>,
    name: String,
}

impl Database {
    pub(crate) fn new(endpoint: Arc<Endpoint>, name: String) -> Self {
        Self { endpoint, name }
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the server's socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.endpoint.socket_dir
    }

    /// The server's log, of all its databases; each line names its role and database (`role@database`).
    #[must_use]
    pub fn log_file(&self) -> &Path {
        &self.endpoint.log_file
    }

    /// How any role connects to this database.
    #[must_use]
    pub fn config(&self, role: &str, password: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.socket_dir()).port(self.endpoint.port);
        config.user(role).password(password).dbname(&self.name);
        config
    }

    /// How the superuser connects.
    #[must_use]
    pub fn superuser_config(&self) -> Config {
        self.config(&self.endpoint.superuser, &self.endpoint.password)
    }

    /// The same as a URL, which tokio-postgres and libpq (psql, pg_dump) understand.
    #[must_use]
    pub fn url(&self, role: &str, password: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let socket_dir = encode(&self.socket_dir().to_string_lossy());
        let (role, password, name) = (encode(role), encode(password), encode(&self.name));
        format!(
            "postgresql://{role}:{password}@{socket_dir}:{}/{name}",
            self.endpoint.port
        )
    }

    /// The superuser's URL.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url(&self.endpoint.superuser, &self.endpoint.password)
    }

    /// Connects as `role`.
    ///
    /// # Errors
    /// When the server refuses or is away.
    pub async fn connect(&self, role: &str, password: &str) -> anyhow::Result<Client> {
        open(&self.config(role, password))
            .await
            .with_context(|| format!("connect to {} as {role}", self.name))
    }

    /// Connects as the superuser, whom row-level security does not bind.
    ///
    /// # Errors
    /// When the server refuses or is away.
    pub async fn connect_as_superuser(&self) -> anyhow::Result<Client> {
        open(&self.superuser_config())
            .await
            .with_context(|| format!("connect to {} as superuser", self.name))
    }
}

/// A database of one test, dropped (soon, in the background) when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    database: Database,
    janitor: Janitor,
}

impl TestDatabase {
    pub(crate) fn new(database: Database, janitor: Janitor) -> Self {
        Self { database, janitor }
    }
}

impl Deref for TestDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.janitor.discard(&self.database.name);
    }
}

/// An SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn open(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client sees the same error at its next statement.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a test's connection ended");
        }
    });
    Ok(client)
}
