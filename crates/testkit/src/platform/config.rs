//! The configuration of each process of a topology.

use super::address;
use crate::postgres::TestDatabase;
use anyhow::{Context, ensure};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The services that the binary has, as `stoa services` prints them.
pub(super) fn services(binary: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new(binary)
        .arg("services")
        .output()
        .context("asking the binary for its services")?;
    ensure!(
        output.status.success(),
        "`stoa services` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(str::to_owned)
        .collect())
}

/// The password that tests give to a role.
#[must_use]
pub fn role_password(role: &str) -> String {
    format!("test-{role}")
}

/// Where everything is and what it is called.
pub(super) struct Plan<'a> {
    groups: &'a [Vec<String>],
    folder: &'a Path,
    database: &'a TestDatabase,
    extra: &'a str,
    edge: SocketAddr,
    admin: Vec<SocketAddr>,
    mesh: Vec<SocketAddr>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        groups: &'a [Vec<String>],
        folder: &'a Path,
        database: &'a TestDatabase,
        extra: &'a str,
    ) -> anyhow::Result<Self> {
        let free = |_: &Vec<String>| address::free();
        Ok(Self {
            groups,
            folder,
            database,
            extra,
            edge: address::free()?,
            admin: groups.iter().map(free).collect::<Result<_, _>>()?,
            mesh: groups.iter().map(free).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn public_url(&self) -> String {
        format!("http://{}", self.edge)
    }

    pub(super) fn admin(&self, index: usize) -> SocketAddr {
        self.admin[index]
    }

    pub(super) fn write_certificates(&self, binary: &Path) -> anyhow::Result<()> {
        let groups = self.groups.iter().map(|g| g.join(","));
        let output = Command::new(binary)
            .arg("dev-certs")
            .arg(self.folder)
            .args(groups)
            .output()?;
        ensure!(
            output.status.success(),
            "dev-certs: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// A process gets the passwords of its own services and of no other.
    pub(super) fn write_config(&self, index: usize) -> anyhow::Result<PathBuf> {
        let group = &self.groups[index];
        let mut text = String::new();
        write!(
            text,
            "[server]\nlisten = \"{}\"\nadmin_listen = \"{}\"\npublic_url = \"{}\"\ndrain_timeout_ms = 2000\n",
            self.edge,
            self.admin[index],
            self.public_url()
        )?;
        write!(
            text,
            "[database]\nhost = {:?}\nport = 5432\nname = {:?}\nmax_connections = 8\n",
            self.database.socket_dir().display().to_string(),
            self.database.name()
        )?;
        for service in group {
            write!(
                text,
                "[services.{service}]\napp_password = {:?}\nsystem_password = {:?}\n",
                role_password(&format!("stoa_{service}_app")),
                role_password(&format!("stoa_{service}_system"))
            )?;
        }
        if self.groups.len() > 1 {
            let name = group.join("-");
            write!(text, "[mesh]\nlisten = \"{}\"\n", self.mesh[index])?;
            for (key, file) in [
                ("ca_file", "ca.pem".into()),
                ("cert_file", format!("{name}.pem")),
                ("key_file", format!("{name}-key.pem")),
            ] {
                writeln!(text, "{key} = {:?}", self.folder.join(file).display().to_string())?;
            }
            text.push_str("[mesh.peers]\n");
            for (other, services) in self
                .groups
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
            {
                for service in services {
                    writeln!(text, "{service} = \"https://{}\"", self.mesh[other])?;
                }
            }
        }
        text.push_str("[telemetry]\nformat = \"json\"\ninstance = \"test\"\n");
        let file = self.folder.join(format!("process-{index}.toml"));
        let mut config: toml::Table = text.parse()?;
        merge(
            &mut config,
            self.extra.parse().context("the test's own configuration")?,
        );
        std::fs::write(&file, config.to_string())?;
        Ok(file)
    }
}

/// `extra` wins; tables are merged.
fn merge(base: &mut toml::Table, extra: toml::Table) {
    for (key, value) in extra {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(extra)) => merge(base, extra),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
