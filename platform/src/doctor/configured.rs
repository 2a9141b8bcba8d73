//! What `stoa serve` needs: the configuration, and everything that it names.

use super::Finding;
use crate::cli::ConfigArgs;
use crate::services;
use std::collections::BTreeMap;
use std::time::Duration;
use stoa_kernel::Service;
use stoa_kernel::config::{Config, Role};
use stoa_kernel::db::ConnectOptions;
use stoa_kernel::mesh::MeshTls;
use stoa_kernel::migrate::{MigrateError, Schema, verify};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one examination may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn examine(args: &ConfigArgs) -> Vec<Finding> {
    let config = match args.load() {
        Ok(config) => config,
        Err(error) => {
            let remedy = "docs/configuration.md lists every key";
            return vec![Finding::error("configuration", format!("{error:#}"), remedy)];
        }
    };
    let mut findings = vec![Finding::ok("configuration", "can be read")];
    findings.extend(databases(&config).await);
    findings.extend(mesh(&config).await);
    findings.extend(issuer(&config));
    findings.extend(collector(&config).await);
    findings
}

/// Each service's own roles, connection by connection, as `serve` would use them.
async fn databases(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut connections: BTreeMap<String, usize> = BTreeMap::new();
    for service in services::all() {
        for role in [Role::App, Role::System] {
            let what = format!("database as {}", role.name(service.name));
            match config.connect_options(service.name, role) {
                Ok(options) => {
                    *connections
                        .entry(format!("{:?}", config.database_of(service.name)))
                        .or_default() += options.max_connections;
                    findings.push(database(what, &options, &service).await);
                }
                Err(error) => findings.push(Finding::warning(
                    what,
                    error.to_string(),
                    format!("set it, unless another process serves {}", service.name),
                )),
            }
        }
    }
    findings.extend(connections.into_iter().map(|(database, sum)| {
        Finding::ok(
            format!("connections to {database}"),
            format!("at most {sum} from a process with every service; max_connections must allow for all processes"),
        )
    }));
    findings
}

async fn database(what: String, options: &ConnectOptions, service: &Service) -> Finding {
    let own = Schema {
        name: service.name,
        migrations: service.migrations,
    };
    let schemas = [stoa_eventlog::SCHEMA, own];
    match timeout(PATIENCE, verify(options, &schemas)).await {
        Ok(Ok(())) => Finding::ok(what, "answers, and its schema fits"),
        Ok(Err(error @ MigrateError::Database { .. })) => Finding::error(
            what,
            format!("{:#}", anyhow::Error::new(error)),
            "is PostgreSQL running at database.host and .port, and is the password that of the role? `stoa migrate` \
             sets the roles' passwords to those of its configuration",
        ),
        Ok(Err(error)) => Finding::error(
            what,
            format!("{:#}", anyhow::Error::new(error)),
            "run `stoa migrate` with this binary",
        ),
        Err(_) => Finding::error(
            what,
            format!("no answer in {} s", PATIENCE.as_secs()),
            "check database.host and the network in between",
        ),
    }
}

/// Certificates, and who answers at the peers' addresses.
async fn mesh(config: &Config) -> Vec<Finding> {
    if config.mesh.listen.is_none() && config.mesh.peers.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![match MeshTls::load(&config.mesh) {
        Ok(_) => Finding::ok("mesh certificate", "fits its authority and its key"),
        Err(error) => Finding::error(
            "mesh certificate",
            error.to_string(),
            "`stoa dev-certs DIR GROUP…` writes a set for development",
        ),
    }];
    for (name, url) in &config.mesh.peers {
        let what = format!("peer {name}");
        findings.push(match reach(url, 443).await {
            Ok(()) => Finding::ok(what, format!("{url} takes connections")),
            Err(why) => Finding::warning(
                what,
                format!("{url}: {why}"),
                format!("start `stoa serve {name}` there, or correct mesh.peers.{name}"),
            ),
        });
    }
    findings
}

/// Browsers refuse to keep sign-in cookies, and clients the tokens, of an issuer without TLS.
fn issuer(config: &Config) -> Option<Finding> {
    let issuer = config.issuer();
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let safe = issuer.starts_with("https://") || local.iter().any(|prefix| issuer.starts_with(prefix));
    Some(if safe {
        Finding::ok("issuer", issuer)
    } else {
        Finding::error(
            "issuer",
            issuer,
            "server.public_url must begin with https:// outside of this machine",
        )
    })
}

async fn collector(config: &Config) -> Option<Finding> {
    let url = config.telemetry.otlp_endpoint.as_ref()?;
    Some(match reach(url, 4318).await {
        Ok(()) => Finding::ok("trace collector", format!("{url} takes connections")),
        Err(why) => Finding::warning(
            "trace collector",
            format!("{url}: {why}"),
            "traces are lost meanwhile; start it or correct telemetry.otlp_endpoint",
        ),
    })
}

/// Whether something takes connections at a URL.
async fn reach(url: &str, default_port: u16) -> Result<(), String> {
    let uri: http::Uri = url.parse().map_err(|e| format!("not a URL: {e}"))?;
    let host = uri
        .host()
        .ok_or("the URL names no host")?
        .trim_matches(['[', ']'])
        .to_owned();
    let port = uri.port_u16().unwrap_or(default_port);
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}
