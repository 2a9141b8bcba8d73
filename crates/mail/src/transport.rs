//! The way out: an SMTP server, or a folder for development.

use crate::template::{Content, one_line};
use jiff::Timestamp;
use lettre::message::{Mailbox, MultiPart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use stoa_kernel::config::{self, SmtpSecurity};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// Sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<Inner>,
}

struct Inner {
    from: Mailbox,
    way: Way,
    timeout: Duration,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// One mail to one person.
pub struct Mail {
    /// The same at every attempt: it becomes the `Message-ID`.
    pub id: Uuid,
    /// The address.
    pub to: String,
    /// The person's name, shown beside the address.
    pub name: String,
    /// What it says.
    pub content: Content,
    /// When it was written.
    pub date: Timestamp,
}

/// Why a mail did not leave. The texts name neither the person nor what the mail says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Another attempt may succeed.
    #[error("the mail was not handed over: {0}")]
    Later(String),
    /// The address is malformed, or the server will never take this mail.
    #[error("the mail cannot be delivered: {0}")]
    Never(String),
}

impl Mailer {
    /// The way out that `[mail]` names; none when it names none.
    ///
    /// # Errors
    /// When the sender's address, the password or a certificate cannot be used.
    pub fn new(mail: &config::Mail) -> anyhow::Result<Option<Self>> {
        let way = match (&mail.smtp_host, &mail.folder) {
            (Some(host), _) => Way::Smtp(smtp(host, mail)?),
            (None, Some(folder)) => Way::Folder(folder.clone()),
            (None, None) => return Ok(None),
        };
        let from = mail.from.parse().map_err(|e| {
            anyhow::anyhow!("mail.from is not an address such as Stoa <no-reply@stoa.example>: {e}")
        })?;
        let timeout = mail.timeout();
        Ok(Some(Self {
            inner: Arc::new(Inner { from, way, timeout }),
        }))
    }

    /// Hands a mail over, within `mail.timeout_ms`.
    ///
    /// # Errors
    /// [`SendError`]
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let message = message(&self.inner.from, mail)?;
        match &self.inner.way {
            Way::Smtp(server) => tokio::time::timeout(self.inner.timeout, deliver(server, message))
                .await
                .unwrap_or_else(|_| {
                    let bound = self.inner.timeout.as_millis();
                    Err(SendError::Later(format!(
                        "the server did not finish within {bound} ms"
                    )))
                }),
            Way::Folder(folder) => write(folder, mail.id, &message.formatted())
                .await
                .map_err(|e| SendError::Later(format!("writing to mail.folder: {e}"))),
        }
    }
}

fn smtp(host: &str, mail: &config::Mail) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = match mail.smtp_security {
        SmtpSecurity::None => Tls::None,
        SmtpSecurity::Starttls => Tls::Required(trust(host, mail.smtp_ca_file.as_deref())?),
        SmtpSecurity::Tls => Tls::Wrapper(trust(host, mail.smtp_ca_file.as_deref())?),
    };
    // "Dangerous" is that it begins without TLS, which is then chosen here.
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(mail.port())
        .tls(tls)
        .timeout(Some(mail.timeout()));
    if let Some((user, password)) = mail.credentials()? {
        builder = builder.credentials(Credentials::new(user, password));
    }
    Ok(builder.build())
}

fn trust(host: &str, authorities: Option<&Path>) -> anyhow::Result<TlsParameters> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = authorities {
        let why = |e: &dyn std::fmt::Display| anyhow::anyhow!("mail.smtp_ca_file {}: {e}", file.display());
        let pem = std::fs::read(file).map_err(|e| why(&e))?;
        let certificate = Certificate::from_pem(&pem).map_err(|e| why(&e))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    Ok(parameters.build_rustls()?)
}

/// The message (RFC 5322): text with HTML as the alternative, marked as automatic so that nobody's absence notice answers
/// it (RFC 3834, section 5).
fn message(from: &Mailbox, mail: &Mail) -> Result<Message, SendError> {
    let address: Address = mail
        .to
        .parse()
        .map_err(|_| SendError::Never("the address is malformed".into()))?;
    let name = Some(one_line(&mail.name)).filter(|name| !name.is_empty());
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(name, address))
        .subject(one_line(&mail.content.subject))
        .date(SystemTime::from(mail.date))
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .header(AutoSubmitted)
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(
            mail.content.text.clone(),
            mail.content.html.clone(),
        ))
        .map_err(|e| SendError::Never(format!("the message cannot be made: {e}")))
}

#[derive(Clone, Copy)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

async fn deliver(server: &AsyncSmtpTransport<Tokio1Executor>, message: Message) -> Result<(), SendError> {
    match server.send(message).await {
        Ok(_) => Ok(()),
        Err(error) => Err(judge(&error)),
    }
}

/// A server's answer often repeats the address, so only its codes are told on.
fn judge(error: &lettre::transport::smtp::Error) -> SendError {
    let Some(status) = error.status() else {
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        return SendError::Later(why);
    };
    let code: u16 = status.into();
    let detailed = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    // 5.7.x is about policy and rights (RFC 3463, section 3.8): the operator can set it right.
    let is_policy = detailed.contains("5.7.");
    let text = format!("the server answered {code}");
    if (550..=553).contains(&code) && !is_policy {
        SendError::Never(text)
    } else {
        SendError::Later(text)
    }
}

/// Whole or not at all, and readable by the owner only: mails hold links that sign in.
async fn write(folder: &Path, id: Uuid, message: &[u8]) -> std::io::Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder.recursive(true).create(folder).await?;
    let aside = folder.join(format!(".{id}"));
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&aside).await?;
    file.write_all(message).await?;
    file.flush().await?;
    drop(file);
    tokio::fs::rename(&aside, folder.join(format!("{id}.eml"))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str, name: &str) -> Mail {
        Mail {
            id: Uuid::nil(),
            to: to.to_owned(),
            name: name.to_owned(),
            content: Content {
                subject: "Xin chào\r\nBcc: eve@example.com".into(),
                text: "line\n.\nline".into(),
                html: "<p>x</p>".into(),
            },
            date: Timestamp::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_folder_gets_whole_messages_and_no_value_begins_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let config = config::Mail {
            folder: Some(folder.path().join("mail")),
            ..config::Mail::default()
        };
        let mailer = Mailer::new(&config).unwrap().unwrap();
        let mail = mail("ada@example.com", "Ada\nBcc: eve@example.com");
        mailer.send(&mail).await.unwrap();
        mailer.send(&mail).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail")).unwrap().collect();
        assert_eq!(files.len(), 1, "the same mail is the same file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = files[0]
                .as_ref()
                .unwrap()
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "it holds links that sign in");
        }
        let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        assert!(
            head.contains("Message-ID: <00000000-0000-0000-0000-000000000000@localhost>"),
            "{head}"
        );
        assert!(head.contains("Date: Thu, 01 Jan 1970"), "{head}");
    }

    #[tokio::test]
    async fn addresses_that_cannot_be_are_refused_for_good() {
        let config = config::Mail {
            folder: Some("/nonexistent".into()),
            ..config::Mail::default()
        };
        let mailer = Mailer::new(&config).unwrap().unwrap();
        for to in ["ada", "ada@example.com\r\nRCPT TO:<eve@example.com>", "a@b@c", ""] {
            let refused = mailer.send(&mail(to, "Ada")).await;
            assert!(matches!(refused, Err(SendError::Never(_))), "{to}: {refused:?}");
        }
    }

    #[test]
    fn without_a_way_out_there_is_no_mailer_and_bad_settings_say_their_key() {
        assert!(Mailer::new(&config::Mail::default()).unwrap().is_none());
        let config = config::Mail {
            smtp_host: Some("localhost".into()),
            from: "no address".into(),
            ..config::Mail::default()
        };
        let error = Mailer::new(&config).err().unwrap().to_string();
        assert!(error.contains("mail.from"), "{error}");
    }
}
