//! Requests for a new password, answered before anybody looks whether there is an account: neither the answer nor its
//! time tells who has one.
//!
//! Who asks with an address that waits to be confirmed gets the link to confirm it again.
//!
//! They wait in memory. When the process ends before it has queued the mail, the person asks again.

use crate::mail::{self, Kind, store};
use crate::state::State;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::service::Task;
use stoa_kernel::{DbError, SystemScope};
use stoa_types::{TenantId, UserId};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// Queues the mail in the account's tenant, which the person who asks has not signed in to.
pub(crate) const RESET: SystemScope = SystemScope::named("identity.reset");

/// Requests that may wait.
const WAITING: usize = 256;
const BUDGET: Duration = Duration::from_secs(10);

/// Where requests wait. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResetRequests {
    sender: mpsc::Sender<String>,
    receiver: Arc<Mutex<mpsc::Receiver<String>>>,
}

impl ResetRequests {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Arc::new(Mutex::new(receiver)),
        }
    }

    /// Takes a request for a normalised address; false when too many wait.
    #[must_use]
    pub(crate) fn take(&self, email: String) -> bool {
        self.sender.try_send(email).is_ok()
    }
}

/// Queues the mails.
pub(crate) fn task(state: State) -> Task {
    Task::new("identity.resets", move |stop| run(state.clone(), stop))
}

async fn run(state: State, stop: CancellationToken) -> anyhow::Result<()> {
    let mut requests = state.resets.receiver.lock().await;
    loop {
        let email = tokio::select! {
            email = requests.recv() => email,
            () = stop.cancelled() => None,
        };
        let Some(email) = email else {
            return Ok(());
        };
        if let Err(error) = answer(&state, &email).await {
            tracing::warn!(%error, "a request for a new password was lost; the person can ask again");
        }
    }
}

async fn answer(state: &State, email: &str) -> Result<(), DbError> {
    let found = store::who_forgot(&state.db.system, &mut RESET.global(BUDGET), email).await?;
    for (tenant, user, kind) in found {
        match queue(state, tenant, user, kind).await {
            // One is on its way.
            Err(error) if error.constraint() == Some("job_unique_key") => {}
            other => other?,
        }
    }
    Ok(())
}

async fn queue(state: &State, tenant: TenantId, user: UserId, kind: Kind) -> Result<(), DbError> {
    let mut scope = RESET.scope(tenant, BUDGET);
    let mut tx = state.db.app.begin(&mut scope);
    mail::queue(&mut tx, state, user, kind)?;
    tx.commit().await.map(|_| ())
}
