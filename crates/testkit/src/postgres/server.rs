//! Test servers: the one that a process shares, and dedicated ones that may be stopped and killed.

use std::collections::HashMap;
use std::fs::Permissions;
use std::future::Future;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stoa_pgcluster::{Cluster, Durability, Options, ServerBinaries, StopMode, find_server};
use tokio::sync::{Mutex, OnceCell};

use super::database::{Database, Endpoint, TestDatabase, quoted};
use super::initdb_cache;
use super::janitor::Janitor;
use super::reaper::Reaper;

/// The server that all tests of this process share; started by the first.
///
/// # Errors
/// When no PostgreSQL is installed, or it does not start; the text says what to do.
pub async fn shared() -> anyhow::Result<&'static TestServer> {
    static SHARED: OnceCell<TestServer> = OnceCell::const_new();
    SHARED.get_or_try_init(|| TestServer::start(Kind::Shared)).await
}

/// A server for one test, which may stop and kill it. A cluster of its own, with a system identifier of its own; what
/// was committed survives [`DedicatedServer::kill9`].
///
/// # Errors
/// As for [`shared`].
pub async fn dedicated() -> anyhow::Result<DedicatedServer> {
    Ok(DedicatedServer {
        server: TestServer::start(Kind::Dedicated).await?,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shared,
    Dedicated,
}

/// A throw-away PostgreSQL server.
#[derive(Debug)]
pub struct TestServer {
    // The order matters: the server is stopped before its files are removed.
    cluster: Mutex<Option<Cluster>>,
    options: Options,
    endpoint: Arc<Endpoint>,
    janitor: Janitor,
    templates: Mutex<HashMap<String, Arc<OnceCell<String>>>>,
    last: AtomicU64,
    _reaper: Reaper,
}

impl TestServer {
    async fn start(kind: Kind) -> anyhow::Result<Self> {
        let (folder, reaper) = watched_folder()?;
        let binaries = find_server()?;
        let options = options(kind, &folder.join("data"), &binaries);
        if kind == Kind::Shared
            && let Err(error) = prepare(&options, &binaries).await
        {
            tracing::warn!(
                error = format!("{error:#}"),
                "no initdb cache; the database is made anew"
            );
            // Half a copy would be taken for a damaged database.
            if options.data_dir.exists() {
                std::fs::remove_dir_all(&options.data_dir)
                    .context("remove half a copy of the initdb cache")?;
            }
        }
        let cluster = Cluster::start(options.clone(), |_| {}).await?;
        let endpoint = Arc::new(Endpoint {
            socket_dir: cluster.socket_dir().to_path_buf(),
            port: cluster.port(),
            superuser: cluster.superuser().to_owned(),
            password: cluster.password().to_owned(),
            log_file: cluster.log_file().to_path_buf(),
        });
        Ok(Self {
            cluster: Mutex::new(Some(cluster)),
            options,
            janitor: Janitor::start(Arc::clone(&endpoint))?,
            endpoint,
            templates: Mutex::default(),
            last: AtomicU64::new(0),
            _reaper: reaper,
        })
    }

    /// Makes a database with a name of its own, as a copy of `template` (a name that [`Self::template`] returned) or
    /// empty. It is dropped after the [`TestDatabase`] is.
    ///
    /// # Errors
    /// When the server refuses or is away.
    pub async fn create_database(&self, template: Option<&str>) -> anyhow::Result<TestDatabase> {
        let name = format!("test_{}", self.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.clone_database(&name, template).await?;
        Ok(TestDatabase::new(
            Database::new(Arc::clone(&self.endpoint), name),
            self.janitor.clone(),
        ))
    }

    /// Makes a database to copy from, once in this process: the first caller runs `init` (migrations, seeds) on an
    /// empty database, the others wait for it. Returns the name for [`Self::create_database`].
    ///
    /// # Errors
    /// When `init` fails; the next caller tries again.
    pub async fn template<F, Fut>(&self, name: &str, init: F) -> anyhow::Result<String>
    where
        F: FnOnce(Database) -> Fut,
        Fut: Future<Output = anyhow::Result<()>>,
    {
        let cell = Arc::clone(self.templates.lock().await.entry(name.to_owned()).or_default());
        let made = cell.get_or_try_init(|| self.make_template(name, init)).await?;
        Ok(made.clone())
    }

    /// The address of a database by name, for what is not a test's own.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        Database::new(Arc::clone(&self.endpoint), name.to_owned())
    }

    /// The connection URL for any role and database.
    #[must_use]
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        self.database(database).url(role, password)
    }

    async fn make_template<F, Fut>(&self, name: &str, init: F) -> anyhow::Result<String>
    where
        F: FnOnce(Database) -> Fut,
        Fut: Future<Output = anyhow::Result<()>>,
    {
        let name = format!("template_{name}");
        let quoted_name = quoted(&name);
        // Of an attempt that failed or was cancelled.
        self.endpoint
            .execute(&format!("drop database if exists {quoted_name} with (force)"))
            .await?;
        self.clone_database(&name, None).await?;
        init(self.database(&name))
            .await
            .with_context(|| format!("fill the database {name}"))?;
        // A database with connections cannot be copied, and those that init has dropped may still be closing.
        self.endpoint
            .execute(&format!(
                "alter database {quoted_name} with allow_connections false"
            ))
            .await?;
        let literal = name.replace('\'', "''");
        let end = format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{literal}'"
        );
        self.endpoint.execute(&end).await?;
        Ok(name)
    }

    async fn clone_database(&self, name: &str, template: Option<&str>) -> anyhow::Result<()> {
        let template = quoted(template.unwrap_or("template0"));
        self.endpoint
            .execute(&format!("create database {} template {template}", quoted(name)))
            .await
    }
}

/// A test server that the test has to itself.
#[derive(Debug)]
pub struct DedicatedServer {
    server: TestServer,
}

impl DedicatedServer {
    /// Stops the server as an operator would (SIGINT). Nothing happens when it is not running.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let Some(cluster) = self.server.cluster.lock().await.take() else {
            return Ok(());
        };
        cluster.stop(StopMode::Fast).await.context("stop the test server")
    }

    /// Kills the postmaster (SIGKILL) and returns when it is gone. Its backends end a moment later.
    ///
    /// # Errors
    /// When the server is not running.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        let Some(cluster) = self.server.cluster.lock().await.take() else {
            bail!("the test server is not running; call start first")
        };
        kill(Pid::from_raw(cluster.pid()), Signal::SIGKILL).context("kill the test server")?;
        cluster.wait().await;
        Ok(())
    }

    /// Starts the server again, at the same address. Nothing happens when it is running.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&self) -> anyhow::Result<()> {
        let mut running = self.server.cluster.lock().await;
        if running.is_none() {
            *running = Some(Cluster::start(self.server.options.clone(), |_| {}).await?);
        }
        Ok(())
    }

    /// Stops the server and starts it again.
    ///
    /// # Errors
    /// When it does not stop or does not start.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// The postmaster's process id, if it is running.
    pub async fn pid(&self) -> Option<i32> {
        self.server.cluster.lock().await.as_ref().map(Cluster::pid)
    }
}

impl Deref for DedicatedServer {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

/// A new folder that others may enter (the server may run as another user), and what removes it.
fn watched_folder() -> anyhow::Result<(PathBuf, Reaper)> {
    let folder = tempfile::Builder::new()
        .prefix("stoa-testkit-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .context("make a temporary folder for the test server")?;
    let path = folder
        .path()
        .canonicalize()
        .context("find the temporary folder")?;
    let reaper = Reaper::watch(&path)?;
    // From here on the reaper removes it.
    let _watched = folder.keep();
    Ok((path, reaper))
}

fn options(kind: Kind, data: &Path, binaries: &ServerBinaries) -> Options {
    let mut options = Options::new(data);
    options.durability = Durability::Ephemeral;
    options.binaries = Some(binaries.clone());
    let mut set = |name: &str, value: &str| options.settings.push((name.to_owned(), value.to_owned()));
    set("max_connections", "400");
    set("shared_buffers", "128MB");
    set("max_wal_size", "4GB");
    if kind == Kind::Dedicated {
        // Without it a killed server loses the last commits, and the test blames the code.
        set("synchronous_commit", "on");
    }
    options
}

/// Fills the data folder from the cache, making the cache first if need be.
async fn prepare(options: &Options, binaries: &ServerBinaries) -> anyhow::Result<()> {
    let data = &options.data_dir;
    std::fs::create_dir(data).with_context(|| format!("make {}", data.display()))?;
    if initdb_cache::restore(binaries, data)? {
        return Ok(());
    }
    Cluster::start(options.clone(), |_| {})
        .await?
        .stop(StopMode::Fast)
        .await?;
    initdb_cache::store(binaries, data)
}
