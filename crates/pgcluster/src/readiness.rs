//! Whether a server accepts connections: a whole login, so that the password is proven too.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use crate::cluster::SUPERUSER;

/// One attempt may take this long.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What a server answers to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It accepts connections.
    Ready,
    /// It says that it is starting, or recovering.
    Starting,
    /// It does not know this password.
    PasswordRefused,
    /// No answer that says anything.
    None,
}

/// Tries to log in once.
pub(crate) async fn ask(socket_dir: &Path, port: u16, password: &str) -> Answer {
    let mut config = Config::new();
    config
        .host_path(socket_dir)
        .port(port)
        .user(SUPERUSER)
        .password(password)
        .dbname("postgres");
    config.application_name("stoa-pgcluster");
    match timeout(ATTEMPT, config.connect(NoTls)).await {
        Ok(Ok((client, connection))) => {
            drop(client);
            // Says goodbye, so that the server's log stays clean. Nothing depends on how that ends.
            let _ = timeout(ATTEMPT, connection).await;
            Answer::Ready
        }
        Ok(Err(error)) => classify(error.code()),
        Err(_) => Answer::None,
    }
}

fn classify(code: Option<&SqlState>) -> Answer {
    match code {
        Some(code) if *code == SqlState::CANNOT_CONNECT_NOW => Answer::Starting,
        Some(code) if *code == SqlState::INVALID_PASSWORD => Answer::PasswordRefused,
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => Answer::Ready,
        _ => Answer::None,
    }
}
