//! How services and migrations reach their databases.

use super::{Config, ConfigError, Database, ServiceConfig};
use crate::db::ConnectOptions;
use std::path::Path;
use std::time::Duration;

impl Config {
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
pub(super) fn secret(key: &str, value: Option<&String>, file: Option<&Path>) -> Result<String, ConfigError> {
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
