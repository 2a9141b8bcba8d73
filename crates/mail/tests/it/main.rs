//! Handing mails over to a real SMTP server.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helpers too"
)]

use std::net::SocketAddr;
use std::path::Path;
use stoa_kernel::config::{self, SmtpSecurity};
use stoa_mail::{Content, Mail, Mailer, SendError};
use stoa_testkit::platform::free_address;
use stoa_testkit::smtp::{MailServer, Protection};
use uuid::Uuid;

const PASSWORD: &str = "a password for tests";

fn settings(address: SocketAddr, security: SmtpSecurity) -> config::Mail {
    config::Mail {
        smtp_host: Some(address.ip().to_string()),
        smtp_port: Some(address.port()),
        smtp_security: security,
        from: "Stoa <no-reply@stoa.test>".into(),
        ..config::Mail::default()
    }
}

fn mail(to: &str) -> Mail {
    Mail {
        id: Uuid::from_u128(7),
        to: to.to_owned(),
        name: "Nguyễn Văn Đức".into(),
        content: Content {
            subject: "Xin chào".into(),
            text: "Xin chào,\n.\na line with a dot alone stays\nhttps://stoa.test/x?token=abc\n".into(),
            html: "<p>Xin chào</p>".into(),
        },
        date: jiff::Timestamp::UNIX_EPOCH,
    }
}

async fn send(settings: &config::Mail, to: &str) -> Result<(), SendError> {
    Mailer::new(settings).unwrap().unwrap().send(&mail(to)).await
}

fn is_later(outcome: &Result<(), SendError>) -> bool {
    matches!(outcome, Err(SendError::Later(_)))
}

/// A certificate for an address, which is its own authority.
fn certificate(folder: &Path, address: SocketAddr) -> Protection {
    let made = rcgen::generate_simple_self_signed([address.ip().to_string()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Protection {
        certificate,
        key,
        user: "stoa".into(),
        password: PASSWORD.into(),
    }
}

// covers: ID-05
#[tokio::test]
async fn a_mail_arrives_as_it_was_written_and_refusals_are_told_apart() {
    let server = MailServer::start().await.unwrap();
    let settings = settings(server.address(), SmtpSecurity::None);
    send(&settings, "duc@example.com").await.unwrap();
    let received = server.received();
    assert_eq!(
        (received.len(), &received[0].to),
        (1, &vec!["duc@example.com".to_owned()])
    );
    let (id, from) = (received[0].header("Message-ID"), received[0].header("From"));
    assert_eq!(
        id.as_deref(),
        Some("<00000000-0000-0000-0000-000000000007@stoa.test>")
    );
    assert_eq!(from.as_deref(), Some("Stoa <no-reply@stoa.test>"));
    assert_eq!(
        received[0].plain_text().replace("\r\n", "\n").trim_end(),
        mail("x").content.text.trim_end()
    );

    let never = send(&settings, "unknown@example.com").await;
    assert_eq!(
        never,
        Err(SendError::Never("the server answered 550".into())),
        "the address is not told on"
    );
    assert!(is_later(&send(&settings, "busy@example.com").await));
    assert_eq!(server.received().len(), 1);
}

// covers: ID-05
#[tokio::test]
async fn tls_is_verified_and_passwords_are_sent_only_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().unwrap();
    let protection = certificate(folder.path(), address);
    let good = config::Mail {
        smtp_user: Some("stoa".into()),
        smtp_password: Some(PASSWORD.into()),
        smtp_ca_file: Some(protection.certificate.clone()),
        ..settings(address, SmtpSecurity::Starttls)
    };
    let server = MailServer::start_on(address, Some(protection)).await.unwrap();
    send(&good, "duc@example.com").await.unwrap();
    let untrusted = config::Mail {
        smtp_ca_file: None,
        ..good.clone()
    };
    let wrong = config::Mail {
        smtp_password: Some("another".into()),
        ..good.clone()
    };
    for settings in [&untrusted, &wrong, &settings(address, SmtpSecurity::None)] {
        let outcome = send(settings, "duc@example.com").await;
        assert!(is_later(&outcome), "{settings:?}: {outcome:?}");
        assert!(!outcome.unwrap_err().to_string().contains("another"));
    }
    assert_eq!(server.received().len(), 1);

    // A server that cannot do TLS gets neither the password nor the mail.
    let plain = MailServer::start().await.unwrap();
    let demanding = config::Mail {
        smtp_port: Some(plain.address().port()),
        smtp_host: Some(plain.address().ip().to_string()),
        ..good
    };
    assert!(is_later(&send(&demanding, "duc@example.com").await));
    assert!(plain.received().is_empty());
}

// covers: ID-05, RS-01
#[tokio::test]
async fn a_server_that_is_away_or_silent_is_given_up_in_time() {
    let mut server = MailServer::start().await.unwrap();
    let away = settings(server.address(), SmtpSecurity::None);
    server.stop();
    assert!(is_later(&send(&away, "duc@example.com").await));
    server.resume().await.unwrap();
    send(&away, "duc@example.com").await.unwrap();

    // It accepts the connection and never says a word.
    let silent = tokio::net::TcpListener::bind(free_address().unwrap())
        .await
        .unwrap();
    let silent = config::Mail {
        timeout_ms: 300,
        ..settings(silent.local_addr().unwrap(), SmtpSecurity::None)
    };
    assert!(is_later(&send(&silent, "duc@example.com").await));
}
