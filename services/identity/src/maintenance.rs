//! What happens once an hour: the next signing key in good time, and forgetting what is over.

use crate::state::{LOGIN, State};
use crate::store;
use jiff::SignedDuration;
use std::time::Duration;
use stoa_kernel::service::Task;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3600);
const BUDGET: Duration = Duration::from_secs(60);
/// Kept beyond its end for a day, so that a replay or reuse is still recognised as one.
const KEEP: SignedDuration = SignedDuration::from_hours(24);

/// The task. Several processes may run it at once.
#[must_use]
pub(crate) fn task(state: State) -> Task {
    Task::new("identity.maintenance", move |stop| run(state.clone(), stop))
}

async fn run(state: State, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        state.keys.rotate_if_due().await?;
        let now = state.clock.now();
        let before = now.saturating_sub(KEEP).unwrap_or(now);
        while store::forget_some(&state.db.system, &mut LOGIN.global(BUDGET), before).await? {
            tokio::task::yield_now().await;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}
