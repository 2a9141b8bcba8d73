//! Drops test databases in the background: a test's `Drop` cannot wait for the server.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Context;

use super::database::{Endpoint, quoted};

/// Takes the names of databases to be dropped.
#[derive(Debug, Clone)]
pub(crate) struct Janitor {
    names: Sender<String>,
}

impl Janitor {
    /// Starts the thread; it ends with the last clone.
    pub(crate) fn start(endpoint: Arc<Endpoint>) -> anyhow::Result<Self> {
        let (names, queue) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start a runtime to drop test databases")?;
        thread::Builder::new()
            .name("testkit-janitor".into())
            .spawn(move || runtime.block_on(drop_all(&endpoint, &queue)))
            .context("start a thread to drop test databases")?;
        Ok(Self { names })
    }

    /// Drops the database soon, unless the server goes first.
    pub(crate) fn discard(&self, name: &str) {
        // The server and its files go anyway when the process ends.
        let _ = self.names.send(name.to_owned());
    }
}

/// Blocks its thread between databases; nothing else runs on this runtime.
async fn drop_all(endpoint: &Arc<Endpoint>, queue: &Receiver<String>) {
    while let Ok(name) = queue.recv() {
        let statement = format!("drop database if exists {} with (force)", quoted(&name));
        if let Err(error) = endpoint.execute(&statement).await {
            tracing::debug!(%name, %error, "a test database was not dropped");
        }
    }
}
