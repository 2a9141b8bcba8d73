//! Follows the access service's changes and drops what they made old.

use super::{Change, Decisions, REPLICATE, WatchChanges};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long one poll may wait at the access service.
const WAIT: Duration = Duration::from_secs(10);

/// The task that keeps a [`Decisions`] fresh.
pub struct Follower {
    decisions: Decisions,
    position: Option<i64>,
}

impl Follower {
    /// Follows for `decisions`.
    #[must_use]
    pub fn new(decisions: Decisions) -> Self {
        Self {
            decisions,
            position: None,
        }
    }

    /// Runs until `stop`. Failures are retried with backoff; meanwhile the replica grows stale and finally refuses.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Duration::from_millis(20);
        while !stop.is_cancelled() {
            let poll = tokio::select! {
                poll = self.poll() => poll,
                () = stop.cancelled() => return,
            };
            match poll {
                Ok(()) => backoff = Duration::from_millis(20),
                Err(error) => {
                    tracing::warn!(%error, "cannot follow policy changes; retrying");
                    tokio::select! {
                        () = tokio::time::sleep(backoff) => {}
                        () = stop.cancelled() => return,
                    }
                    backoff = (backoff * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn poll(&mut self) -> Result<(), crate::CallError> {
        let wait_ms = u64::try_from(WAIT.as_millis()).unwrap_or(10_000);
        let mut scope = REPLICATE.global(WAIT * 2);
        let asked = self.decisions.inner.started.elapsed();
        let call = WatchChanges {
            after: self.position,
            wait_ms,
        };
        let answer = self.decisions.inner.mesh.call(&mut scope, call).await?;
        if answer.reset || self.position.is_none() {
            self.decisions.drop_everything();
        }
        for change in &answer.changes {
            self.decisions.apply(change);
        }
        self.position = Some(answer.last);
        // Confirmed as of when we asked: what happened while the answer travelled is not known yet.
        let at = if answer.changes.is_empty() && !answer.reset {
            self.decisions.inner.started.elapsed()
        } else {
            asked
        };
        self.decisions.inner.confirmed_ms.store(
            i64::try_from(at.as_millis()).unwrap_or(i64::MAX),
            Ordering::Release,
        );
        Ok(())
    }
}

impl Decisions {
    fn apply(&self, change: &Change) {
        let inner = &self.inner;
        let Some(tenant) = change.tenant else {
            inner.platform_floor.fetch_max(change.revision, Ordering::AcqRel);
            // A tenant's rules are layered over the platform's.
            inner.generation.fetch_add(1, Ordering::AcqRel);
            inner.policies.invalidate_all();
            return;
        };
        let floor = inner.floors.get(&tenant).unwrap_or(0).max(change.revision);
        inner.floors.insert(tenant, floor);
        match (change.user, change.subjects) {
            (Some(user), _) => inner.subjects.invalidate(&(tenant, user)),
            // Without a policy in memory no subject can be used before it is compiled again, which looks at the floor.
            (None, true) => {
                if let Some(policy) = inner.policies.get(&tenant) {
                    policy.subjects_floor.fetch_max(change.revision, Ordering::AcqRel);
                }
            }
            (None, false) => inner.policies.invalidate(&tenant),
        }
        inner.heard.insert(tenant, floor);
    }

    /// Forgets every policy and subject; they load again on next use.
    ///
    /// The floors go too: after the database was restored to an earlier time no load would ever reach them. What began
    /// before or meanwhile is known by its generation, which therefore rises first and last.
    pub fn drop_everything(&self) {
        self.inner.generation.fetch_add(1, Ordering::AcqRel);
        self.inner.floors.invalidate_all();
        self.inner.heard.invalidate_all();
        self.inner.platform_floor.store(0, Ordering::Release);
        self.inner.platform.store(None);
        self.inner.policies.invalidate_all();
        self.inner.subjects.invalidate_all();
        self.inner.generation.fetch_add(1, Ordering::AcqRel);
    }
}
