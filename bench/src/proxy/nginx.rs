//! Two nginx processes: the upstream of both proxies, and the peer. Their configurations stand beside this file.

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_BOUND: Duration = Duration::from_secs(10);

/// The two; stopped when dropped.
pub(super) struct Nginx {
    pub(super) upstream: SocketAddr,
    pub(super) proxy: SocketAddr,
    children: [Server; 2],
    _folder: tempfile::TempDir,
}

struct Server(Child);

impl Nginx {
    pub(super) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for nginx")?;
        let (upstream, proxy) = (free()?, free()?);
        let server = |name: &str, template: &str, at: SocketAddr| {
            let text = template
                .replace("@FOLDER@", &folder.path().display().to_string())
                .replace("@UPSTREAM@", &upstream.port().to_string())
                .replace("@LISTEN@", &proxy.port().to_string());
            let file = folder.path().join(name);
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            Server::start(&file, at)
        };
        let children = [
            server("upstream.conf", include_str!("upstream.conf"), upstream)?,
            server("nginx.conf", include_str!("nginx.conf"), proxy)?,
        ];
        Ok(Self {
            upstream,
            proxy,
            children,
            _folder: folder,
        })
    }

    /// The peer's master; its worker is a child of it.
    pub(super) fn proxy_pid(&self) -> u32 {
        let [_, proxy] = &self.children;
        proxy.0.id()
    }
}

impl Server {
    fn start(config: &Path, at: SocketAddr) -> anyhow::Result<Self> {
        let child = Command::new(binary())
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting nginx; `scripts/install-deps bench` installs it")?;
        let mut server = Self(child);
        let until = Instant::now() + START_BOUND;
        while TcpStream::connect(at).is_err() {
            if server.0.try_wait()?.is_some() || Instant::now() > until {
                bail!(
                    "nginx does not start with {}; run `nginx -t -c` on it",
                    config.display()
                );
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not SIGKILL: its worker would stay behind.
        if let Ok(pid) = i32::try_from(self.0.id())
            && kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok()
        {
            self.0.wait().ok();
        }
    }
}

/// On the PATH, in the folder for administrators, or where `scripts/install-deps bench` put it.
fn binary() -> PathBuf {
    let known = ["/usr/sbin/nginx", "target/tools/nginx"];
    let there = known.into_iter().map(PathBuf::from).find(|path| path.is_file());
    there.unwrap_or_else(|| "nginx".into())
}

fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?)
}
