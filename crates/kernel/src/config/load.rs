//! Reading and checking the configuration.

use super::Config;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use std::path::Path;

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
        self.mail.check()?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

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
