//! `stoa up`: the whole platform on this machine, with a private PostgreSQL and demo data.

use crate::cli::{Signals, flush, say, telemetry};
use crate::serve::Server;
use crate::{demo, migrate, services};
use anyhow::{Context, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::config::{Config, Role, ServiceConfig};
use stoa_kernel::migrate::Step;
use stoa_pgcluster::{Cluster, Options, Progress, StopMode};
use stoa_telemetry::Telemetry;
use tokio_postgres::NoTls;

/// The flags of `stoa up`.
#[derive(Args)]
pub struct UpArgs {
    /// Where everything is kept: the database, its log, generated passwords.
    #[arg(long, value_name = "DIR", default_value = ".stoa")]
    data: PathBuf,
    /// Where the API listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where health and metrics listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    admin_listen: SocketAddr,
    /// More settings, as for `stoa serve`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs until Ctrl-C, then stops everything that it started.
///
/// # Errors
/// What could not be started and what to do.
pub async fn run(args: UpArgs) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let started = tokio::select! {
        started = start(&args) => started?,
        // Dropping the start ends the PostgreSQL that it may have started.
        () = signals.next() => {
            say("stoa: stopped before it was up");
            return Ok(());
        }
    };
    let Up {
        cluster,
        server,
        telemetry,
    } = started;
    let cluster = run_until_stopped(cluster, &args.data, &mut signals).await?;
    say("stoa: stopping");
    let stopped = async {
        server.stop().await;
        cluster.stop(StopMode::Fast).await
    };
    tokio::select! {
        stopped = stopped => stopped?,
        // As above.
        () = signals.next() => say("stoa: stopping at once"),
    }
    flush(telemetry).await;
    say("stoa: stopped");
    Ok(())
}

/// Everything that runs.
struct Up {
    cluster: Cluster,
    server: Server,
    telemetry: Arc<Telemetry>,
}

async fn start(args: &UpArgs) -> anyhow::Result<Up> {
    free(args.listen, "--listen")?;
    free(args.admin_listen, "--admin-listen")?;
    say("stoa: starting PostgreSQL");
    let cluster = start_cluster(&args.data).await?;
    let config = configure(args, &cluster)?;
    create_database(&cluster).await?;
    migrate::run(&config, &mut |step| {
        if let Step::Applied { schema, name } = step {
            say(&format!("stoa: migrated {schema} ({name})"));
        }
    })
    .await?;

    let telemetry = telemetry(&config, "stoa")?;
    let public_url = config.server.public_url.clone();
    let server = Server::start(config, &[], telemetry.clone()).await?;
    server.ready().await;
    demo::seed(&server.mesh).await.context("loading the demo data")?;
    say(&banner(&public_url, args.admin_listen, &args.data));
    Ok(Up {
        cluster,
        server,
        telemetry,
    })
}

/// Waits for the signal to stop, and starts PostgreSQL again if it dies meanwhile.
async fn run_until_stopped(
    mut cluster: Cluster,
    data: &Path,
    signals: &mut Signals,
) -> anyhow::Result<Cluster> {
    loop {
        let died = tokio::select! {
            () = signals.next() => return Ok(cluster),
            died = cluster.wait() => died,
        };
        tracing::warn!(cause = %died, "PostgreSQL ended; starting it again");
        say("stoa: PostgreSQL ended; starting it again");
        drop(cluster);
        cluster = start_cluster(data).await?;
    }
}

async fn start_cluster(data: &Path) -> anyhow::Result<Cluster> {
    let mut options = Options::new(data);
    options.settings = [
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
        ("log_min_messages", "warning"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let cluster = Cluster::start(options, |progress| match progress {
        Progress::Initializing => say("stoa: making a new database (some seconds, once)"),
        Progress::StoppingLeftover { pid } => say(&format!(
            "stoa: stopping a PostgreSQL left behind (process {pid})"
        )),
        Progress::Recovering => say("stoa: PostgreSQL is recovering from a crash"),
        Progress::Starting | Progress::Ready => {}
    });
    Ok(cluster.await?)
}

/// A busy address is said before anything is started.
fn free(address: SocketAddr, flag: &str) -> anyhow::Result<()> {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "cannot listen on {address}: {error}; stop what listens there, or choose another with {flag}"
        ),
    }
}

fn configure(args: &UpArgs, cluster: &Cluster) -> anyhow::Result<Config> {
    let mut config = Config::load(args.config.as_deref())?;
    config.demo = true;
    config.server.listen = args.listen;
    config.server.admin_listen = args.admin_listen;
    if config.server.public_url == Config::default().server.public_url {
        config.server.public_url = format!("http://{}", args.listen);
    }
    if config.mail.smtp_host.is_none() && config.mail.folder.is_none() {
        config.mail.folder = Some(args.data.join("mail"));
    }
    config.database.host = cluster.socket_dir().display().to_string();
    config.database.port = cluster.port();
    config.database.name = "stoa".to_owned();
    config.database.migrate_user = Some(cluster.superuser().to_owned());
    config.database.migrate_password = Some(cluster.password().to_owned());
    let passwords = role_passwords(&args.data.join("role-passwords.json"))?;
    for service in services::all() {
        let password = |role: Role| passwords.get(&role.name(service.name)).cloned();
        let entry: &mut ServiceConfig = config.services.entry(service.name.to_owned()).or_default();
        entry.app_password = password(Role::App);
        entry.system_password = password(Role::System);
    }
    Ok(config)
}

/// A password for each role, made once and kept beside the database, readable by its owner only.
fn role_passwords(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut passwords: BTreeMap<String, String> = match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("reading {}", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    let before = passwords.len();
    for service in services::all() {
        for role in [Role::App, Role::System] {
            passwords
                .entry(role.name(service.name))
                .or_insert_with(|| hex::encode(rand::random::<[u8; 24]>()));
        }
    }
    if passwords.len() > before {
        write_private(file, &serde_json::to_vec_pretty(&passwords)?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(passwords)
}

/// Writes whole or not at all: a crash in the middle must not lose the passwords.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let part = file.with_extension("part");
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    out.write_all(content)?;
    out.sync_all()?;
    std::fs::rename(&part, file)
}

async fn create_database(cluster: &Cluster) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::Config::new()
        .host_path(cluster.socket_dir())
        .port(cluster.port())
        .user(cluster.superuser())
        .password(cluster.password())
        .dbname("postgres")
        .connect_timeout(Duration::from_secs(10))
        .connect(NoTls)
        .await
        .context("connecting to PostgreSQL")?;
    let connection = tokio::spawn(connection);
    let exists = client
        .query_opt("select from pg_database where datname = 'stoa'", &[])
        .await?
        .is_some();
    if !exists {
        client
            .batch_execute("create database stoa")
            .await
            .context("creating the database")?;
    }
    drop(client);
    connection.await.ok();
    Ok(())
}

fn banner(url: &str, admin: SocketAddr, data: &Path) -> String {
    let password = demo::PASSWORD;
    let users = demo::USERS
        .iter()
        .map(|user| format!("    {:<22} {}", user.email, user.about));
    let users = users.collect::<Vec<_>>().join("\n");
    format!(
        "
  Stoa is up.

  API and sign-in   {url}
  Documentation     {url}/docs
  OpenID discovery  {url}/.well-known/openid-configuration
  Health, metrics   http://{admin}/health/ready  http://{admin}/metrics
  Data              {data}, mails in {data}/mail

  Sign in with the password {password} as
{users}

  Ctrl-C stops everything.
",
        data = data.display()
    )
}
