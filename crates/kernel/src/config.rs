//! The configuration: one TOML file, overridden by `STOA_…` environment variables, secrets from `*_file`.
//!
//! Every key is described in `docs/configuration.md`. Unknown keys and bad values are refused at start with the
//! key's path.

mod connect;
mod load;
mod mail;

pub use connect::Role;
pub use load::ConfigError;
pub use mail::{Mail, SmtpSecurity};

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Listeners and limits of the edge.
    pub server: Server,
    /// Where the database is.
    pub database: Database,
    /// What differs per service, by its name.
    pub services: BTreeMap<String, ServiceConfig>,
    /// Calls between processes.
    pub mesh: MeshConfig,
    /// The OpenID Provider.
    pub identity: Identity,
    /// How mails leave.
    pub mail: Mail,
    /// Logs, metrics and traces.
    pub telemetry: Telemetry,
    /// Whether this process runs a demo. Set by `stoa up` alone, never by a file or variable.
    #[serde(skip)]
    pub demo: bool,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where health and metrics listen; keep it away from the outside.
    pub admin_listen: SocketAddr,
    /// The URL under which clients reach the API: the OpenID issuer and the base of redirects.
    pub public_url: String,
    /// The longest a request may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// The longest that a request may take which sends or receives a file, in milliseconds.
    pub long_request_timeout_ms: u64,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// The largest body of a request that sends a file, in bytes.
    pub max_upload_bytes: usize,
    /// How long a graceful shutdown may drain, in milliseconds.
    pub drain_timeout_ms: u64,
    /// Whether routes may lead to loopback, private and link-local addresses. Any tenant's administrator makes routes,
    /// so allow it only where tenants may reach what this host reaches.
    pub private_upstreams: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: "http://127.0.0.1:8080".to_owned(),
            request_timeout_ms: 10_000,
            long_request_timeout_ms: 600_000,
            max_body_bytes: 1 << 20,
            max_upload_bytes: 256 << 20,
            drain_timeout_ms: 10_000,
            private_upstreams: false,
        }
    }
}

/// `[database]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// Host, address or unix socket folder.
    pub host: String,
    /// Port; it also names the unix socket.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// Connections per service for requests; its system role gets a quarter, at least two.
    pub max_connections: usize,
    /// The longest that one statement may run, in milliseconds.
    pub statement_timeout_ms: u64,
    /// The role that migrates: superuser, or CREATEROLE with BYPASSRLS. Only `stoa migrate` and `stoa up` use it.
    pub migrate_user: Option<String>,
    /// Its password.
    pub migrate_password: Option<String>,
    /// A file that holds its password.
    pub migrate_password_file: Option<PathBuf>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.name)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            host: "/var/run/postgresql".to_owned(),
            port: 5432,
            name: "stoa".to_owned(),
            max_connections: 8,
            statement_timeout_ms: 5_000,
            migrate_user: None,
            migrate_password: None,
            migrate_password_file: None,
        }
    }
}

/// `[services.NAME]`
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Password of `stoa_NAME_app`.
    pub app_password: Option<String>,
    /// A file that holds it.
    pub app_password_file: Option<PathBuf>,
    /// Password of `stoa_NAME_system`.
    pub system_password: Option<String>,
    /// A file that holds it.
    pub system_password_file: Option<PathBuf>,
    /// A database of its own, instead of `[database]`.
    pub database: Option<Database>,
}

impl std::fmt::Debug for ServiceConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceConfig")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// `[mesh]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeshConfig {
    /// Where other processes reach the services of this one, over mutual TLS.
    pub listen: Option<SocketAddr>,
    /// `SERVICE = "https://host:port"` for services in other processes.
    pub peers: BTreeMap<String, String>,
    /// The certificate authority that signs all mesh certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// This process's certificate, whose names are `SERVICE.stoa.internal` (PEM).
    pub cert_file: Option<PathBuf>,
    /// Its private key: Ed25519, PKCS#8 (PEM).
    pub key_file: Option<PathBuf>,
}

/// `[identity]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The issuer; `server.public_url` unless set.
    pub issuer: Option<String>,
    /// Access token lifetime in seconds (ID-02).
    pub access_token_seconds: u64,
    /// Refresh token lifetime in seconds (ID-03).
    pub refresh_token_seconds: u64,
    /// How long a used refresh token still answers, for two tabs that refresh at once, in seconds.
    pub refresh_grace_seconds: u64,
    /// Password hashes at the same time.
    pub hash_concurrency: usize,
    /// Argon2id memory per hash, in KiB (RFC 9106, section 4).
    pub hash_memory_kib: u32,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            issuer: None,
            access_token_seconds: 300,
            refresh_token_seconds: 7 * 24 * 3600,
            refresh_grace_seconds: 10,
            hash_concurrency: 2,
            hash_memory_kib: 19_456,
        }
    }
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// What is logged: `info`, or per target `info,stoa_kernel=debug`.
    pub log: String,
    /// `auto` (JSON unless on a terminal), `json` or `text`.
    pub format: String,
    /// This process's name in logs and traces; the host's name and process id unless set.
    pub instance: Option<String>,
    /// An OTLP/HTTP collector, such as `http://127.0.0.1:4318`; traces are not exported unless set.
    pub otlp_endpoint: Option<String>,
    /// The share of traces that start here and are sampled, 0 to 1.
    pub sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            log: "info".into(),
            format: "auto".into(),
            instance: None,
            otlp_endpoint: None,
            sample_ratio: 1.0,
        }
    }
}

impl Config {
    /// The OpenID issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.identity.issuer.as_deref().unwrap_or(&self.server.public_url)
    }

    /// The request timeout.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.server.request_timeout_ms)
    }
}
