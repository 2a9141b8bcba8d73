//! `[mail]`: how mails leave.

use super::ConfigError;
use super::connect::secret;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// `[mail]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The SMTP server's name; without it (and without `folder`) mails wait.
    pub smtp_host: Option<String>,
    /// Its port: 587 with `starttls`, 465 with `tls`, 25 with `none`, unless set.
    pub smtp_port: Option<u16>,
    /// How the connection is protected.
    pub smtp_security: SmtpSecurity,
    /// The user to sign in as; no sign-in unless set.
    pub smtp_user: Option<String>,
    /// The user's password.
    pub smtp_password: Option<String>,
    /// A file that holds it.
    pub smtp_password_file: Option<PathBuf>,
    /// Certificate authorities to trust besides the system's (PEM), for a server with a private one.
    pub smtp_ca_file: Option<PathBuf>,
    /// The sender: `Stoa <no-reply@stoa.example>`.
    pub from: String,
    /// The longest that handing over one mail may take, in milliseconds.
    pub timeout_ms: u64,
    /// A folder to write mails to as `.eml` files instead of sending them, for development.
    pub folder: Option<PathBuf>,
}

/// How an SMTP connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// Not at all: for a server on this machine.
    None,
    /// `STARTTLS`, required (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314, section 3.3).
    Tls,
}

/// Without the password.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("smtp_host", &self.smtp_host)
            .field("smtp_security", &self.smtp_security)
            .field("from", &self.from)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            smtp_host: None,
            smtp_port: None,
            smtp_security: SmtpSecurity::Starttls,
            smtp_user: None,
            smtp_password: None,
            smtp_password_file: None,
            smtp_ca_file: None,
            from: "Stoa <no-reply@localhost>".to_owned(),
            timeout_ms: 15_000,
            folder: None,
        }
    }
}

impl Mail {
    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.smtp_port.unwrap_or(match self.smtp_security {
            SmtpSecurity::None => 25,
            SmtpSecurity::Starttls => 587,
            SmtpSecurity::Tls => 465,
        })
    }

    /// The bound of handing over one mail.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// User and password, when the server asks for them.
    ///
    /// # Errors
    /// [`ConfigError`] when there is a user and the password is neither set nor readable.
    pub fn credentials(&self) -> Result<Option<(String, String)>, ConfigError> {
        let Some(user) = &self.smtp_user else {
            return Ok(None);
        };
        let password = secret(
            "mail.smtp_password",
            self.smtp_password.as_ref(),
            self.smtp_password_file.as_deref(),
        )?;
        Ok(Some((user.clone(), password)))
    }

    /// Checks what types cannot say.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let value = |key: &str, why: &str| {
            Err(ConfigError::Value {
                key: key.into(),
                why: why.into(),
            })
        };
        if !(100..=25_000).contains(&self.timeout_ms) {
            return value(
                "mail.timeout_ms",
                "100 to 25000: a mail must be handed over within a job's step",
            );
        }
        if self.smtp_host.is_some() && self.folder.is_some() {
            return value(
                "mail.folder",
                "not together with mail.smtp_host: a mail is sent or written to the folder",
            );
        }
        if self.smtp_user.is_some() && self.smtp_security == SmtpSecurity::None {
            return value(
                "mail.smtp_security",
                "starttls or tls when mail.smtp_user is set: a password does not travel in clear",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_follows_from_the_protection_and_passwords_do_not_travel_in_clear() {
        let mut mail = Mail::default();
        assert_eq!(mail.port(), 587);
        mail.smtp_security = SmtpSecurity::None;
        mail.smtp_user = Some("stoa".into());
        let refused = mail.check().expect_err("in clear").to_string();
        assert!(refused.contains("mail.smtp_security"), "{refused}");
        mail.smtp_security = SmtpSecurity::Tls;
        assert!(mail.check().is_ok());
        let missing = mail.credentials().expect_err("no password").to_string();
        assert!(missing.contains("STOA_MAIL__SMTP_PASSWORD"), "{missing}");
        mail.smtp_password = Some("secret word".into());
        assert!(mail.credentials().is_ok_and(|c| c.is_some()));
        assert!(!format!("{mail:?}").contains("secret word"));
    }
}
