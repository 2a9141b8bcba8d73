//! Keeps the snapshot fresh: a notification or at most 250 ms after a change it is in force.

use super::{Loaded, Snapshot};
use crate::store;
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::{Database, DbError, SystemScope};
use stoa_types::TenantId;
use tokio_util::sync::CancellationToken;

/// Reads the routes of all tenants, to hold them in memory.
pub(crate) const REPLICATE: SystemScope = SystemScope::named("gateway.routes");

/// A change is seen after this long even when its notification was lost.
const POLL: Duration = Duration::from_millis(250);
const LOAD_BUDGET: Duration = Duration::from_secs(5);

/// The routes in force. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Live {
    snapshot: Arc<ArcSwapOption<Snapshot>>,
}

/// What the loader has applied.
#[derive(Default)]
struct Applied {
    fingerprint: Option<store::Fingerprint>,
    revisions: HashMap<TenantId, i64>,
}

impl Live {
    /// The snapshot in force; `None` until the first load.
    pub(crate) fn load(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Puts a snapshot into force.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// Follows the database until `stop`.
    ///
    /// # Errors
    /// Never ends in error: while the database is away the last snapshot stays.
    pub(crate) async fn follow(self, db: Database, stop: CancellationToken) -> anyhow::Result<()> {
        let mut listener = db.listen(store::CHANNEL);
        let mut applied = Applied::default();
        let mut failing = false;
        loop {
            let refreshed = self.refresh(&db, &mut applied).await;
            match &refreshed {
                Err(error) if !failing => {
                    tracing::warn!(%error, "cannot read the routes; the last ones stay in force");
                }
                Ok(()) if failing => tracing::info!("the routes can be read again"),
                _ => {}
            }
            failing = refreshed.is_err();
            tokio::select! {
                () = listener.wait(POLL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    async fn refresh(&self, db: &Database, applied: &mut Applied) -> Result<(), DbError> {
        let mut scope = REPLICATE.global(LOAD_BUDGET);
        // The fingerprint first: what commits after it is loaded too early, and again with the next one.
        let fingerprint = store::fingerprint(db, &mut scope).await?;
        if applied.fingerprint.as_ref() == Some(&fingerprint) {
            return Ok(());
        }
        let platform = applied.fingerprint.as_ref().map(|f| &f.platform) != Some(&fingerprint.platform);
        let revisions = store::revisions(db, &mut scope).await?;
        let changed: Vec<TenantId> = revisions
            .iter()
            .filter(|(tenant, revision)| applied.revisions.get(tenant) != Some(revision))
            .map(|(tenant, _)| *tenant)
            .collect();
        let loaded = Loaded {
            platform: if platform {
                let routes = store::platform_routes(db, &mut scope).await?;
                Some(routes.into_iter().map(|route| (route.id, route.spec)).collect())
            } else {
                None
            },
            tenants: store::tenant_routes(db, &mut scope, changed).await?,
        };
        let before = self.load().unwrap_or_default();
        self.publish(before.with(loaded));
        applied.fingerprint = Some(fingerprint);
        applied.revisions = revisions;
        Ok(())
    }
}
