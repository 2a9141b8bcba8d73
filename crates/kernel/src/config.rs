//! The configuration: one TOML file, overridden by `STOA_…` environment variables, secrets from `*_file`.
//!
//! Every key is described in `docs/configuration.md`. Unknown keys and bad values are refused at start with the
//! key's path.

use crate::db::ConnectOptions;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
    /// Logs, metrics and traces.
    pub telemetry: Telemetry,
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
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
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
            max_body_bytes: 1 << 20,
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

/// A configuration that cannot be used; the text names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file or a variable does not parse, or holds an unknown key.
    #[error("configuration: {0}")]
    Invalid(#[from] Box<figment::Error>),
    /// A required key is missing.
    #[error("configuration: {key} is not set; {remedy}")]
    Missing {
        /// The key's path.
        key: String,
        /// What to do.
        remedy: String,
    },
    /// A file that a key names cannot be read.
    #[error("configuration: {key} names {path}, which cannot be read: {why}")]
    File {
        /// The key's path.
        key: String,
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A value breaks a rule.
    #[error("configuration: {key}: {why}")]
    Value {
        /// The key's path.
        key: String,
        /// The rule.
        why: String,
    },
}

impl Config {
    /// Reads `file` (if given) and the environment (`STOA_SERVER__LISTEN` overrides `server.listen`).
    ///
    /// # Errors
    /// [`ConfigError`] with the key's path.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::File {
                    key: "--config".into(),
                    path: file.display().to_string(),
                    why: "no such file".into(),
                });
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let environment = Env::prefixed("STOA_")
            .split("__")
            .filter(|key| key.as_str().contains('.'));
        let config: Self = figment.merge(environment).extract().map_err(Box::new)?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the key's path and the rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |key: &str, why: &str| {
            Err(ConfigError::Value {
                key: key.into(),
                why: why.into(),
            })
        };
        let url = url::Url::parse(&self.server.public_url);
        if !matches!(&url, Ok(u) if matches!(u.scheme(), "http" | "https") && u.has_host()) {
            return value(
                "server.public_url",
                "an http or https URL without a path, such as https://stoa.example",
            );
        }
        if self.server.public_url.ends_with('/') {
            return value(
                "server.public_url",
                "must not end with a slash: it is the issuer, compared as text",
            );
        }
        if self.server.request_timeout_ms < 100 {
            return value("server.request_timeout_ms", "at least 100");
        }
        if self.database.max_connections == 0 {
            return value("database.max_connections", "at least 1");
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return value("telemetry.sample_ratio", "between 0 and 1");
        }
        if self.identity.hash_concurrency == 0 {
            return value("identity.hash_concurrency", "at least 1");
        }
        if self.identity.hash_memory_kib < 8 {
            return value(
                "identity.hash_memory_kib",
                "at least 8 (RFC 9106); 19456 is recommended",
            );
        }
        for (name, url) in &self.mesh.peers {
            if !url.starts_with("https://") {
                return value(
                    &format!("mesh.peers.{name}"),
                    "must be an https:// URL; the mesh speaks mutual TLS",
                );
            }
        }
        Ok(())
    }

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

    /// The database of `service`.
    #[must_use]
    pub fn database_of(&self, service: &str) -> &Database {
        self.services
            .get(service)
            .and_then(|s| s.database.as_ref())
            .unwrap_or(&self.database)
    }

    /// How `service` connects as `role`, which is `app` or `system`.
    ///
    /// # Errors
    /// [`ConfigError`] when its password is neither set nor readable.
    pub fn connect_options(&self, service: &str, role: Role) -> Result<ConnectOptions, ConfigError> {
        let database = self.database_of(service);
        let max_connections = match role {
            Role::App => database.max_connections,
            Role::System => (database.max_connections / 4).max(2),
        };
        Ok(ConnectOptions {
            host: database.host.clone(),
            port: database.port,
            dbname: database.name.clone(),
            user: role.name(service),
            password: self.role_password(service, role)?,
            max_connections,
            statement_timeout: Duration::from_millis(database.statement_timeout_ms),
            application_name: format!("stoa {service}"),
            on_connect: None,
        })
    }

    /// The password of a service's role.
    ///
    /// # Errors
    /// [`ConfigError`] when it is neither set nor readable.
    pub fn role_password(&self, service: &str, role: Role) -> Result<String, ConfigError> {
        let empty = ServiceConfig::default();
        let config = self.services.get(service).unwrap_or(&empty);
        let (value, file, key) = match role {
            Role::App => (&config.app_password, &config.app_password_file, "app_password"),
            Role::System => (
                &config.system_password,
                &config.system_password_file,
                "system_password",
            ),
        };
        secret(
            &format!("services.{service}.{key}"),
            value.as_ref(),
            file.as_deref(),
        )
    }

    /// How `stoa migrate` connects to the database of `service`.
    ///
    /// # Errors
    /// [`ConfigError`] when the user or password is missing.
    pub fn migrate_options(&self, service: &str) -> Result<ConnectOptions, ConfigError> {
        let database = self.database_of(service);
        let user = database
            .migrate_user
            .clone()
            .ok_or_else(|| ConfigError::Missing {
                key: "database.migrate_user".into(),
                remedy: "name the role that owns the schema (superuser, or CREATEROLE with BYPASSRLS)".into(),
            })?;
        let password = secret(
            "database.migrate_password",
            database.migrate_password.as_ref(),
            database.migrate_password_file.as_deref(),
        )?;
        Ok(ConnectOptions {
            host: database.host.clone(),
            port: database.port,
            dbname: database.name.clone(),
            user,
            password,
            max_connections: 1,
            // A migration may rewrite a large table.
            statement_timeout: Duration::from_secs(3600),
            application_name: "stoa migrate".to_owned(),
            on_connect: None,
        })
    }
}

/// One of a service's two database roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Every request; sees one tenant at a time.
    App,
    /// The tables that no tenant owns.
    System,
}

impl Role {
    /// The role's name in the database.
    #[must_use]
    pub fn name(self, service: &str) -> String {
        match self {
            Self::App => format!("stoa_{service}_app"),
            Self::System => format!("stoa_{service}_system"),
        }
    }
}

/// A secret given by value or by file; the trailing newline of a file is not part of it.
fn secret(key: &str, value: Option<&String>, file: Option<&Path>) -> Result<String, ConfigError> {
    if let Some(value) = value {
        return Ok(value.clone());
    }
    let Some(file) = file else {
        let remedy = format!(
            "set it, or {key}_file, or the variable STOA_{}",
            key.to_uppercase().replace('.', "__")
        );
        return Err(ConfigError::Missing {
            key: key.to_owned(),
            remedy,
        });
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        Err(e) => Err(ConfigError::File {
            key: format!("{key}_file"),
            path: file.display().to_string(),
            why: e.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let config: Config = Figment::new()
            .merge(Toml::string(text))
            .extract()
            .map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn errors_name_the_key() {
        for (text, key) in [
            ("[server]\nlisten = 7", "server.listen"),
            ("[server]\npublic_url = 'stoa.example'", "server.public_url"),
            ("[sever]\nlisten = '127.0.0.1:1'", "sever"),
            (
                "[mesh.peers]\ncustomer = 'http://127.0.0.1:1'",
                "mesh.peers.customer",
            ),
            ("[telemetry]\nsample_ratio = 2.0", "telemetry.sample_ratio"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(key), "{error} should name {key}");
        }
    }

    #[test]
    fn a_missing_password_says_how_to_set_it() {
        let error = Config::default()
            .connect_options("customer", Role::App)
            .expect_err("no password");
        assert!(
            error
                .to_string()
                .contains("STOA_SERVICES__CUSTOMER__APP_PASSWORD"),
            "{error}"
        );
    }
}
