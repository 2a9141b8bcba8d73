//! A real SMTP server that keeps what it gets (aiosmtpd), which a test can stop and start again.

use crate::platform::free_address;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/e2e/python/mail_server.py"
);

/// An SMTP server; it ends with this value.
pub struct MailServer {
    address: SocketAddr,
    folder: tempfile::TempDir,
    protection: Vec<OsString>,
    process: Option<Child>,
}

/// What makes a server demand STARTTLS and that a user signs in.
pub struct Protection {
    /// Its certificate, in a PEM file.
    pub certificate: PathBuf,
    /// The certificate's key, in a PEM file.
    pub key: PathBuf,
    /// The user.
    pub user: String,
    /// Their password.
    pub password: String,
}

/// A message that the server has accepted.
#[derive(Debug, Clone)]
pub struct Received {
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The message as it was sent, header and body.
    pub text: String,
}

impl MailServer {
    /// Starts a server on an address of its own.
    ///
    /// # Errors
    /// When the tests' Python is missing, or the server does not listen within 20 s.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(free_address()?, None).await
    }

    /// Starts a server on a given address, which [`free_address`] found, so that a certificate can name it.
    ///
    /// # Errors
    /// As [`MailServer::start`].
    pub async fn start_on(address: SocketAddr, protection: Option<Protection>) -> anyhow::Result<Self> {
        let protection = protection.map(|p| {
            vec![
                p.certificate.into(),
                p.key.into(),
                p.user.into(),
                p.password.into(),
            ]
        });
        let mut server = Self {
            address,
            folder: tempfile::tempdir()?,
            protection: protection.unwrap_or_default(),
            process: None,
        };
        server.resume().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The `[mail]` section that leads here.
    #[must_use]
    pub fn config(&self) -> String {
        format!(
            "[mail]\nsmtp_host = \"{}\"\nsmtp_port = {}\nsmtp_security = \"none\"\n\
             from = \"Stoa <no-reply@stoa.test>\"\ntimeout_ms = 5000\n",
            self.address.ip(),
            self.address.port()
        )
    }

    /// Kills the server: connections are refused from now on.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }

    /// Starts it again, where it was.
    ///
    /// # Errors
    /// As [`MailServer::start`].
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let process = Command::new(python()?)
            .arg(SOURCE)
            .args([self.address.ip().to_string(), self.address.port().to_string()])
            .arg(self.folder.path())
            .args(&self.protection)
            .stdin(Stdio::null())
            .spawn()
            .context("starting the tests' mail server")?;
        let process = self.process.insert(process);
        let give_up = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = process.try_wait()? {
                bail!("the tests' mail server ended: {status}");
            }
            ensure!(Instant::now() < give_up, "the tests' mail server does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Everything that it has accepted, oldest first.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .expect("the server's folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect();
        files.sort();
        files.iter().map(|file| Received::read(file)).collect()
    }

    /// What an address has got.
    #[must_use]
    pub fn received_by(&self, address: &str) -> Vec<Received> {
        let mut all = self.received();
        all.retain(|mail| mail.to.iter().any(|to| to == address));
        all
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Received {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("a message");
        let message: Value = serde_json::from_str(&text).expect("JSON");
        let to = message["to"].as_array().expect("recipients");
        Self {
            to: to.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            text: message["text"].as_str().expect("a text").to_owned(),
        }
    }

    /// A header's value, as it was sent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    }

    /// The first link of the plain text.
    #[must_use]
    pub fn link(&self) -> Option<String> {
        let text = self.plain_text();
        let start = text.find("http")?;
        let link = text.get(start..)?;
        Some(link.split_whitespace().next()?.to_owned())
    }

    /// The plain text, decoded.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let parts = self.text.split("Content-Type: text/plain");
        let part = parts.last().unwrap_or_default();
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or_default();
        let body = body.split("\r\n--").next().unwrap_or_default();
        if head.to_ascii_lowercase().contains("quoted-printable") {
            quoted_printable(body)
        } else if head.to_ascii_lowercase().contains("base64") {
            base64(body)
        } else {
            body.to_owned()
        }
    }
}

/// RFC 2045, section 6.7.
fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'=' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(text: &str) -> String {
    use base64::Engine;
    let text: String = text.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The Python of `scripts/install-deps test`, beside the test binaries; `STOA_PYTHON` overrides it.
///
/// # Errors
/// When it was not installed.
pub fn python() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("STOA_PYTHON") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let found = test.ancestors().map(|dir| dir.join("python/bin/python"));
    found
        .into_iter()
        .find(|path| path.is_file())
        .context("the tests' Python is missing; run `scripts/install-deps test` first (`make test` does)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_decoded() {
        assert_eq!(quoted_printable("Xin ch=C3=A0o a=3Db =\r\nx="), "Xin chào a=b x=");
        let mail = Received {
            to: vec![],
            text: "Message-ID: <1@x>\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nGo to\r\nhttps://a/b?token=c\r\n--b\r\n".into(),
        };
        assert_eq!(mail.header("message-id").as_deref(), Some("<1@x>"));
        assert_eq!(mail.link().as_deref(), Some("https://a/b?token=c"));
    }
}
