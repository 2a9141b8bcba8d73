//! `LISTEN` on a connection of its own, reconnecting for ever.

use super::{ConnectOptions, DbError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, NoTls};

/// Wakes when a channel is notified, and whenever something may have been missed.
pub struct Listener {
    options: ConnectOptions,
    channel: &'static str,
    session: Option<Session>,
}

struct Session {
    /// Keeps the connection open.
    _client: Client,
    wakes: mpsc::Receiver<()>,
}

impl Listener {
    pub(super) fn new(options: ConnectOptions, channel: &'static str) -> Self {
        Self {
            options,
            channel,
            session: None,
        }
    }

    /// Returns when the channel was notified, when a connection was (re)made, because notifications may have been
    /// missed, or after `poll` at the latest. The caller then reads the state that it is interested in; payloads are
    /// not handed on, since the state is the truth and notifications coalesce.
    pub async fn wait(&mut self, poll: Duration) {
        let Some(session) = &mut self.session else {
            match tokio::time::timeout(poll, self.connect()).await {
                Ok(Ok(session)) => self.session = Some(session),
                Ok(Err(error)) => {
                    tracing::debug!(channel = self.channel, %error, "cannot listen; polling meanwhile");
                    tokio::time::sleep(poll).await;
                }
                Err(_) => {}
            }
            return;
        };
        match tokio::time::timeout(poll, session.wakes.recv()).await {
            Ok(Some(())) => while session.wakes.try_recv().is_ok() {},
            Ok(None) => self.session = None,
            Err(_) => {}
        }
    }

    async fn connect(&self) -> Result<Session, DbError> {
        let failed = |e| DbError::from_driver("listening", e);
        let (client, mut connection) = self
            .options
            .driver_config()
            .connect(NoTls)
            .await
            .map_err(failed)?;
        let (wake, wakes) = mpsc::channel(64);
        tokio::spawn(async move {
            let messages = std::future::poll_fn(move |context| connection.poll_message(context));
            let mut messages = std::pin::pin!(messages);
            loop {
                match messages.as_mut().await {
                    // A full channel means that a wake-up is waiting already.
                    Some(Ok(AsyncMessage::Notification(_))) => drop(wake.try_send(())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
        });
        // The channel is a constant of the code.
        client
            .batch_execute(&format!("listen {}", self.channel))
            .await
            .map_err(failed)?;
        Ok(Session {
            _client: client,
            wakes,
        })
    }
}
