//! The test servers themselves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stoa_testkit::postgres::{Database, dedicated, shared};
use tokio::time::{Instant, sleep};

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A zombie is not alive: in a container nobody may reap it.
fn alive(pid: &str) -> bool {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", pid])
        .output()
        .unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

async fn fill(database: Database, runs: &AtomicU32) -> anyhow::Result<()> {
    runs.fetch_add(1, Ordering::SeqCst);
    let client = database.connect_as_superuser().await?;
    client
        .batch_execute("create table seed (n int); insert into seed values (7)")
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_template_is_filled_once_and_each_copy_is_separate() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let copies = (0..8).map(|_| {
        tokio::spawn(async {
            let server = shared().await.unwrap();
            let template = server
                .template("it's \"odd\"", |database| fill(database, &RUNS))
                .await
                .unwrap();
            server.create_database(Some(&template)).await.unwrap()
        })
    });
    let mut databases = Vec::new();
    for copy in copies.collect::<Vec<_>>() {
        databases.push(copy.await.unwrap());
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    let (one, two) = (&databases[0], &databases[1]);
    assert_ne!(one.name(), two.name());
    one.connect_as_superuser()
        .await
        .unwrap()
        .batch_execute("update seed set n = 8")
        .await
        .unwrap();
    let client = two.connect_as_superuser().await.unwrap();
    let n: i32 = client.query_one("select n from seed", &[]).await.unwrap().get(0);
    assert_eq!(n, 7);
}

#[tokio::test]
async fn a_failing_template_is_tried_again() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let server = shared().await.unwrap();
    let error = server
        .template("flaky", |_| async { anyhow::bail!("no migration") })
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("no migration"), "{error:#}");
    let template = server
        .template("flaky", |database| fill(database, &RUNS))
        .await
        .unwrap();
    server.create_database(Some(&template)).await.unwrap();
}

#[tokio::test]
async fn any_role_connects_by_url_also_with_an_odd_password() {
    let server = shared().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let admin = database.connect_as_superuser().await.unwrap();
    admin
        .batch_execute("create role \"an app\" login password 'p@ss/w:rd? %'")
        .await
        .unwrap();
    let url = database.url("an app", "p@ss/w:rd? %");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let who: String = client
        .query_one("select current_user::text", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(who, "an app");
    assert!(database.connect("an app", "wrong").await.is_err());
}

#[tokio::test]
async fn a_database_is_dropped_although_a_connection_is_open() {
    let server = shared().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let name = database.name().to_owned();
    let _open = database.connect_as_superuser().await.unwrap();
    drop(database);
    let admin = server.database("postgres").connect_as_superuser().await.unwrap();
    until("the database is dropped", async || {
        admin
            .query("select 1 from pg_database where datname = $1", &[&name])
            .await
            .unwrap()
            .is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_outage_keeps_what_was_committed() {
    let server = dedicated().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let client = database.connect_as_superuser().await.unwrap();
    client.batch_execute("create table kept (n int)").await.unwrap();
    client.batch_execute("insert into kept values (1)").await.unwrap();
    server.kill9().await.unwrap();
    assert!(database.connect_as_superuser().await.is_err());
    server.start().await.unwrap();
    server.restart().await.unwrap();
    let client = database.connect_as_superuser().await.unwrap();
    let n: i32 = client.query_one("select n from kept", &[]).await.unwrap().get(0);
    assert_eq!(n, 1);
    server.stop().await.unwrap();
    assert_eq!(server.pid().await, None);
    assert!(server.kill9().await.is_err());
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_files() {
    let server = dedicated().await.unwrap();
    let pid = server.pid().await.unwrap().to_string();
    let data = server
        .database("postgres")
        .socket_dir()
        .parent()
        .unwrap()
        .to_path_buf();
    assert!(data.exists() && alive(&pid));
    drop(server);
    assert!(!data.parent().unwrap().exists());
    assert!(!alive(&pid));
}

#[tokio::test]
async fn a_killed_test_process_leaves_no_server_and_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("note");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_servers", "--ignored"])
        .env("STOA_TEST_NOTE", &note)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the other process has its servers", async || note.exists()).await;
    let text = fs::read_to_string(&note).unwrap();
    let servers: Vec<(&str, PathBuf)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(pid, dir)| (pid, dir.into()))
        .collect();
    assert_eq!(servers.len(), 2);
    assert!(servers.iter().all(|(pid, dir)| alive(pid) && dir.exists()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    for (pid, dir) in &servers {
        until("the server and its files are gone", async || {
            !alive(pid) && !dir.exists()
        })
        .await;
    }
}

/// Not a test: what the test above runs in a process of its own.
#[tokio::test]
#[ignore = "run by another test"]
async fn hold_servers() {
    let Some(note) = std::env::var_os("STOA_TEST_NOTE").map(PathBuf::from) else {
        return;
    };
    let own = dedicated().await.unwrap();
    let mut text = String::new();
    for server in [shared().await.unwrap(), &*own] {
        let database = server.database("postgres");
        let data: &Path = database.socket_dir().parent().unwrap();
        let pid = fs::read_to_string(data.join("pg/postmaster.pid")).unwrap();
        let folder = data.parent().unwrap().display().to_string();
        text.push_str(&format!("{} {folder}\n", pid.lines().next().unwrap()));
    }
    fs::write(note.with_extension("new"), text).unwrap();
    fs::rename(note.with_extension("new"), &note).unwrap();
    std::future::pending::<()>().await;
}
