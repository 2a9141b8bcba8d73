//! Asks for the organization of branches that were known before it was kept: no event tells it again.

use crate::{App, ORGANIZATIONS, consumers, store};
use std::time::Duration;
use stoa_contracts::organization::GetBranch;
use stoa_kernel::service::Task;
use stoa_kernel::{CallError, Problem};
use stoa_types::{BranchId, TenantId};
use uuid::Uuid;

const BATCH: i64 = 100;
const BUDGET: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(1);

/// One pass over those branches at the start; there are none after the first.
pub(crate) fn task(app: App) -> Task {
    Task::new("access.organizations", move |stop| {
        let app = app.clone();
        async move {
            let pass = async {
                let mut after = (TenantId(Uuid::nil()), BranchId(Uuid::nil()));
                loop {
                    match next(&app, after).await {
                        Ok(Some(last)) => after = last,
                        Ok(None) => return,
                        Err(problem) => {
                            tracing::warn!(%problem, "cannot ask for the organization of a branch; trying again");
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = pass => {}
                () = stop.cancelled() => {}
            }
            stop.cancelled().await;
            Ok(())
        }
    })
}

/// Learns the branches after `after`, and returns the last of them.
async fn next(app: &App, after: (TenantId, BranchId)) -> Result<Option<(TenantId, BranchId)>, Problem> {
    let db = &app.context.db;
    let mut scope = ORGANIZATIONS.global(BUDGET);
    let found = store::branch::without_organization(db.system.begin_system(&mut scope), after, BATCH).await?;
    for (tenant, id) in &found {
        let mut scope = ORGANIZATIONS.scope(*tenant, BUDGET);
        let branch = match app.context.mesh.call(&mut scope, GetBranch { id: *id }).await {
            Ok(branch) => branch,
            // It is gone, and nobody works there.
            Err(CallError::Refused(problem)) if problem.status == 404 => continue,
            Err(error) => return Err(error.into()),
        };
        let mut tx = db.app.begin(&mut scope);
        consumers::place(&mut tx, &branch, &app.context.clock).await?;
        tx.commit().await?;
    }
    Ok(found.last().copied())
}
