//! `stoa up` as a person at a terminal has it: one command, Ctrl-C, and accidents.

use crate::api::Api;
use crate::journey::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use reqwest::Method;
use serde_json::json;
use std::fs::{File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use stoa_testkit::oidc;
use stoa_testkit::platform::{Platform, binary, free_address};
use tempfile::TempDir;

/// Debian's `nobody`.
const NOBODY: u32 = 65534;

/// A `stoa up` that runs. When dropped it ends as at a Ctrl-C, so that no server is left behind by a failed test.
struct Up {
    child: Child,
    listen: SocketAddr,
    data: PathBuf,
    errors: PathBuf,
}

impl Up {
    fn start(data: &Path, binary: &Path, user: Option<u32>) -> Self {
        Self::start_at(
            data,
            binary,
            user,
            free_address().unwrap(),
            free_address().unwrap(),
        )
    }

    fn start_at(
        data: &Path,
        binary: &Path,
        user: Option<u32>,
        listen: SocketAddr,
        admin: SocketAddr,
    ) -> Self {
        static LAST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let run = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let errors = data.with_extension(format!("{run}.err"));
        let mut command = Command::new(binary);
        command
            .arg("up")
            .args(["--data".as_ref(), data.as_os_str()])
            .args([
                "--listen",
                &listen.to_string(),
                "--admin-listen",
                &admin.to_string(),
            ])
            .current_dir(data.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(File::create(data.with_extension(format!("{run}.log"))).unwrap())
            .stderr(File::create(&errors).unwrap());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let child = command.spawn().expect("stoa up");
        Self {
            child,
            listen,
            data: data.to_owned(),
            errors,
        }
    }

    /// What it told the person at the terminal.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }

    async fn banner(&mut self) {
        for _ in 0..6_000 {
            if self.said().contains("Stoa is up.") {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended ({status}): {}", self.said());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("it is not up: {}", self.said());
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    async fn end(&mut self) -> ExitStatus {
        let child = std::cell::RefCell::new(&mut self.child);
        eventually(|| async { child.borrow_mut().try_wait().unwrap() }).await
    }

    /// Refused: what it said.
    async fn refusal(mut self) -> String {
        assert!(!self.end().await.success(), "{}", self.said());
        self.said()
    }

    async fn interrupt(&mut self) {
        self.signal(Signal::SIGINT);
        let status = self.end().await;
        assert!(status.success(), "{status}: {}", self.said());
        assert_eq!(servers(&self.data), [""; 0], "Ctrl-C stops everything");
    }

    fn platform(&self) -> Platform {
        Platform::elsewhere(&format!("http://{}", self.listen)).unwrap()
    }

    fn postmaster(&self) -> Pid {
        let file = std::fs::read_to_string(self.data.join("pg/postmaster.pid")).unwrap();
        Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGINT);
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- stoa up said:\n{}", self.said());
        }
    }
}

/// Processes whose command line names the data folder, but not `stoa up` itself.
fn servers(data: &Path) -> Vec<String> {
    let data = data.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&data) && line.contains("postgres"))
        .collect()
}

/// A folder that another user's server may reach.
fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("stoa-up-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

async fn total(up: &Up) -> u64 {
    let admin = Api::sign_in(&up.platform(), "admin@acme.test").await;
    admin.get("/api/customers/stats").await.body["total"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_runs_everything_and_survives_accidents() {
    let (folder, binary) = (folder(), binary().unwrap());
    let data = folder.path().join("data");

    let mut early = Up::start(&data, &binary, None);
    eventually(|| async { (!servers(&data).is_empty()).then_some(()) }).await;
    early.interrupt().await;

    let mut up = Up::start(&data, &binary, None);
    up.banner().await;
    let said = up.said();
    for word in [
        "alice@acme.test",
        "stoa-demo-2026",
        &format!("http://{}", up.listen),
        "/docs",
        "Ctrl-C",
    ] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    assert_eq!(total(&up).await, 85);
    let renamed = rename(&up).await;

    let second = Up::start(&data, &binary, None).refusal().await;
    assert!(
        second.contains(&data.display().to_string()) && second.contains("in use"),
        "{second}"
    );
    let other = folder.path().join("other");
    let busy = Up::start_at(&other, &binary, None, up.listen, free_address().unwrap())
        .refusal()
        .await;
    assert!(
        busy.contains(&up.listen.to_string()) && busy.contains("--listen"),
        "{busy}"
    );
    let busy = Up::start_at(&other, &binary, None, free_address().unwrap(), up.listen)
        .refusal()
        .await;
    assert!(busy.contains("--admin-listen"), "{busy}");
    assert!(!other.exists(), "refused before anything was made");
    refuses_to_serve_a_demo(&up, &binary).await;

    kill(up.postmaster(), Signal::SIGKILL).unwrap();
    eventually(|| async {
        up.said()
            .contains("PostgreSQL ended; starting it again")
            .then_some(())
    })
    .await;
    let platform = up.platform();
    eventually(|| async { oidc::sign_in(&platform, "admin@acme.test").await.ok() }).await;
    assert_eq!(total(&up).await, 85);
    up.interrupt().await;

    let mut again = Up::start(&data, &binary, None);
    again.banner().await;
    assert!(
        !again.said().contains("recovering"),
        "nothing crashed: {}",
        again.said()
    );
    assert_eq!(total(&again).await, 85, "seeding again adds nothing");
    assert_named(&again, &renamed, "Renamed Ltd").await;
    again.signal(Signal::SIGKILL);
    again.end().await;

    let mut recovered = Up::start(&data, &binary, None);
    recovered.banner().await;
    assert_named(&recovered, &renamed, "Renamed Ltd").await;
    recovered.interrupt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_user_needs_no_rights() {
    if !geteuid().is_root() {
        // Then the test above was it.
        return;
    }
    let folder = folder();
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // Where everybody may read it, wherever the sources are.
    let copy = folder.path().join("stoa");
    std::fs::copy(binary().unwrap(), &copy).unwrap();
    let mut up = Up::start(&folder.path().join("data"), &copy, Some(NOBODY));
    up.banner().await;
    assert_eq!(total(&up).await, 85);
    up.interrupt().await;
}

/// Renames a customer; returns its path.
async fn rename(up: &Up) -> String {
    let admin = Api::sign_in(&up.platform(), "admin@acme.test").await;
    let one = admin.get("/api/customers?limit=1").await.items()[0].clone();
    let path = format!("/api/customers/{}", one["id"].as_str().unwrap());
    let etag = admin.get(&path).await.header("etag").to_owned();
    let change = admin.request(Method::PATCH, &path).header("if-match", etag);
    let change = change.header("content-type", "application/merge-patch+json");
    let changed = crate::api::send(change.body(json!({ "name": "Renamed Ltd" }).to_string())).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    path
}

async fn assert_named(up: &Up, path: &str, name: &str) {
    let admin = Api::sign_in(&up.platform(), "admin@acme.test").await;
    assert_eq!(admin.get(path).await.body["name"], name);
}

/// A demo's users and keys are known to everybody.
async fn refuses_to_serve_a_demo(up: &Up, binary: &Path) {
    let passwords: serde_json::Value =
        serde_json::from_slice(&std::fs::read(up.data.join("role-passwords.json")).unwrap()).unwrap();
    let socket = servers(&up.data)
        .iter()
        .find_map(|line| {
            line.split("unix_socket_directories=\"")
                .nth(1)?
                .split('"')
                .next()
                .map(str::to_owned)
        })
        .expect("the server's socket");
    let mut config = format!("[database]\nhost = {socket:?}\nname = \"stoa\"\n");
    for service in stoa_platform::services::all() {
        let password = |kind: &str| passwords[format!("stoa_{}_{kind}", service.name)].to_string();
        config.push_str(&format!(
            "[services.{}]\napp_password = {}\nsystem_password = {}\n",
            service.name,
            password("app"),
            password("system")
        ));
    }
    let file = up.data.with_extension("toml");
    std::fs::write(&file, config).unwrap();
    let listen = free_address().unwrap().to_string();
    let admin = free_address().unwrap().to_string();
    let output = Command::new(binary)
        .args(["serve", "--listen", &listen, "--admin-listen", &admin, "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("demo") && said.contains("stoa migrate"), "{said}");
}
