//! The cluster against the installed PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stoa_pgcluster::{Cluster, Durability, Error, Options, Progress, StopMode};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that the server's user can reach when the tests run as root.
fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("stoa-pgcluster-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

fn options(data: &Path) -> Options {
    let mut options = Options::new(data);
    options.durability = Durability::Ephemeral;
    options.settings.push(("shared_buffers".into(), "16MB".into()));
    // A killed server would lose what it had not handed to the kernel.
    options.settings.push(("synchronous_commit".into(), "on".into()));
    options
}

async fn start(data: &Path) -> Cluster {
    Cluster::start(options(data), |_| {}).await.unwrap()
}

async fn connect_to(socket: &Path, port: u16, password: &str) -> Client {
    let mut config = Config::new();
    config
        .host_path(socket)
        .port(port)
        .user("stoa_admin")
        .password(password)
        .dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn connect(cluster: &Cluster) -> Client {
    connect_to(cluster.socket_dir(), cluster.port(), cluster.password()).await
}

async fn text(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

async fn write_note(cluster: &Cluster) {
    let client = connect(cluster).await;
    client
        .batch_execute("create table note (body text); insert into note values ('kept')")
        .await
        .unwrap();
}

async fn note(cluster: &Cluster) -> String {
    text(&connect(cluster).await, "select body from note").await
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn ended(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_err()
}

#[tokio::test]
async fn a_fresh_cluster_is_private_and_utf8_with_checksums() {
    let dir = folder();
    let data = dir.path().join("data");
    let seen = Mutex::new(Vec::new());
    let cluster = Cluster::start(options(&data), |step| seen.lock().unwrap().push(step))
        .await
        .unwrap();
    let client = connect(&cluster).await;

    assert_eq!(
        text(&client, "select current_setting('listen_addresses')").await,
        ""
    );
    assert_eq!(
        text(&client, "select current_setting('data_checksums')").await,
        "on"
    );
    assert_eq!(
        text(&client, "select current_setting('server_encoding')").await,
        "UTF8"
    );
    assert_eq!(
        text(&client, "select current_setting('shared_buffers')").await,
        "16MB"
    );
    assert_eq!(
        text(
            &client,
            "select string_agg(distinct auth_method, ',') from pg_hba_file_rules"
        )
        .await,
        "scram-sha-256"
    );
    for private in ["superuser.password", "run", "pg", "."] {
        let mode = fs::metadata(data.join(private)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{private} is open to others: {mode:o}");
    }
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.first(), Some(&Progress::Initializing));
    assert_eq!(seen.last(), Some(&Progress::Ready));
    assert!(
        !format!("{cluster:?}").contains(cluster.password()),
        "Debug shows the password"
    );

    let pid = cluster.pid();
    cluster.stop(StopMode::Fast).await.unwrap();
    assert!(ended(pid));
    assert!(!data.join("pg/postmaster.pid").exists());
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let dir = folder();
    let data = dir.path().join("data");
    start(&data).await.stop(StopMode::Fast).await.unwrap();
    fs::write(data.join("superuser.password"), "wrong").unwrap();
    let error = Cluster::start(options(&data), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::PasswordRefused { .. }), "{error}");
    fs::remove_file(data.join("superuser.password")).unwrap();
    let error = Cluster::start(options(&data), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::PasswordLost { .. }), "{error}");
}

#[tokio::test]
async fn a_restart_keeps_data_and_password() {
    let dir = folder();
    let data = dir.path().join("data");
    let mut durable = options(&data);
    durable.durability = Durability::Durable;
    let cluster = Cluster::start(durable.clone(), |_| {}).await.unwrap();
    let password = cluster.password().to_owned();
    write_note(&cluster).await;
    cluster.stop(StopMode::Fast).await.unwrap();

    let cluster = Cluster::start(durable, |_| {}).await.unwrap();
    assert_eq!(cluster.password(), password);
    assert_eq!(note(&cluster).await, "kept");
    assert_eq!(
        text(&connect(&cluster).await, "select current_setting('fsync')").await,
        "on"
    );
    cluster.stop(StopMode::Immediate).await.unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_is_reported_and_the_next_start_recovers_at_once() {
    let dir = folder();
    let data = dir.path().join("data");
    let cluster = start(&data).await;
    write_note(&cluster).await;
    // A backend that computes does not notice by itself that its postmaster has gone.
    let busy = connect(&cluster).await;
    let busy = tokio::spawn(async move {
        busy.batch_execute("select count(*) from generate_series(1, 1e11)")
            .await
    });
    let watch = connect(&cluster).await;
    let deadline = Instant::now() + PATIENCE;
    while text(&watch, "select count(*)::text from pg_stat_activity where query like '%generate_series%' and state = 'active' and pid <> pg_backend_pid()").await == "0" {
        assert!(Instant::now() < deadline, "the busy backend did not begin");
    }

    signal(cluster.pid(), Signal::SIGKILL);
    let error = timeout(PATIENCE, cluster.wait()).await.unwrap();
    assert!(matches!(error, Error::ServerExited { .. }), "{error}");
    drop(cluster);

    let cluster = start(&data).await;
    assert_eq!(note(&cluster).await, "kept");
    assert!(timeout(PATIENCE, busy).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_lock_file_that_names_a_stranger_does_not_stop_the_start() {
    let dir = folder();
    let data = dir.path().join("data");
    let cluster = start(&data).await;
    write_note(&cluster).await;
    signal(cluster.pid(), Signal::SIGKILL);
    cluster.wait().await;
    drop(cluster);
    // The id was given out again, to a process of the same user: PostgreSQL would take it for a server.
    let owner = fs::metadata(data.join("pg")).unwrap();
    let mut command = Command::new("sleep");
    command
        .arg("60")
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = command.spawn().unwrap();
    let file = data.join("pg/postmaster.pid");
    let lock = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        format!("{}\n{}", stranger.id(), lock.split_once('\n').unwrap().1),
    )
    .unwrap();

    let cluster = start(&data).await;
    assert_eq!(note(&cluster).await, "kept");
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_is_cleared_away() {
    let dir = folder();
    let data = dir.path().join("data");
    // Killed in the middle: programs gone, half a database left.
    fs::create_dir_all(data.join("pg.tmp-abc/base/1")).unwrap();
    fs::write(data.join("pg.tmp-abc/PG_VERSION"), "15\n").unwrap();
    let cluster = start(&data).await;
    write_note(&cluster).await;
    let left: Vec<PathBuf> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("pg.tmp-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_start_that_is_dropped_in_the_middle_leaves_nothing_running() {
    let dir = folder();
    let data = dir.path().join("data");
    for milliseconds in [5, 100, 300, 600] {
        let _ = timeout(
            Duration::from_millis(milliseconds),
            Cluster::start(options(&data), |_| {}),
        )
        .await;
    }
    let cluster = start(&data).await;
    write_note(&cluster).await;
    assert_eq!(note(&cluster).await, "kept");
}

#[tokio::test]
async fn a_second_start_is_refused_and_names_the_holder() {
    let dir = folder();
    let data = dir.path().join("data");
    let cluster = start(&data).await;
    let error = Cluster::start(options(&data), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    write_note(&cluster).await;
}

#[tokio::test]
async fn a_long_path_puts_the_socket_elsewhere_and_cleans_up() {
    let dir = folder();
    let data = dir
        .path()
        .join("long".repeat(20))
        .join("data")
        .join("\"quoted, 'name'");
    let cluster = start(&data).await;
    let socket = cluster.socket_dir().to_path_buf();
    assert!(!socket.starts_with(dir.path()));
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    write_note(&cluster).await;
    cluster.stop(StopMode::Fast).await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn odd_characters_in_a_short_path_are_fine() {
    let dir = folder();
    let cluster = start(&dir.path().join("a \"b, c' d")).await;
    write_note(&cluster).await;
    assert!(cluster.socket_dir().starts_with(dir.path()));
}

#[tokio::test]
async fn data_of_another_version_is_refused_with_advice() {
    let dir = folder();
    let data = dir.path().join("data");
    start(&data).await.stop(StopMode::Fast).await.unwrap();
    fs::write(data.join("pg/PG_VERSION"), "9\n").unwrap();
    let error = Cluster::start(options(&data), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::VersionMismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_with_other_content_is_left_alone() {
    let dir = folder();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let error = Cluster::start(options(dir.path()), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NotADataFolder { .. }), "{error}");
    assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_folder_out_of_reach_is_named_when_root_must_drop_its_rights() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = folder();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(options(&closed.join("data")), |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotTraversable { .. }), "{error}");
    assert!(error.to_string().contains("closed`"), "{error}");
}

#[tokio::test]
async fn a_bad_setting_ends_the_start_with_the_servers_own_words() {
    let dir = folder();
    let mut options = options(&dir.path().join("data"));
    options.settings.push(("shared_bufers".into(), "1".into()));
    let error = Cluster::start(options, |_| {}).await.unwrap_err().to_string();
    assert!(
        error.contains("unrecognized configuration parameter \"shared_bufers\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_left_by_a_killed_process_is_stopped_and_replaced() {
    let dir = folder();
    let data = dir.path().join("data");
    let ready = dir.path().join("ready");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_a_cluster", "--ignored"])
        .env("STOA_TEST_HOLD", &data)
        .env("STOA_TEST_READY", &ready)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the other process has a cluster", || ready.exists()).await;
    let left: i32 = fs::read_to_string(&ready).unwrap().parse().unwrap();
    let error = Cluster::start(options(&data), |_| {}).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");

    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!ended(left), "the server was to survive its parent");
    let seen = Mutex::new(Vec::new());
    let cluster = Cluster::start(options(&data), |step| seen.lock().unwrap().push(step))
        .await
        .unwrap();
    assert!(
        seen.lock()
            .unwrap()
            .contains(&Progress::StoppingLeftover { pid: left })
    );
    assert_ne!(cluster.pid(), left);
    assert_eq!(note(&cluster).await, "kept");
}

/// Not a test: what the test above runs in a process of its own.
#[tokio::test]
#[ignore = "run by another test"]
async fn hold_a_cluster() {
    let (Some(data), Some(ready)) = (
        std::env::var_os("STOA_TEST_HOLD"),
        std::env::var_os("STOA_TEST_READY"),
    ) else {
        return;
    };
    let cluster = start(Path::new(&data)).await;
    write_note(&cluster).await;
    let ready = PathBuf::from(ready);
    fs::write(ready.with_extension("new"), cluster.pid().to_string()).unwrap();
    fs::rename(ready.with_extension("new"), &ready).unwrap();
    std::future::pending::<()>().await;
}
