//! What this service learns from others.

use crate::store::{self, Change};
use futures::FutureExt;
use serde_json::json;
use stoa_contracts::organization::{Branch, BranchCreated, BranchMoved};
use stoa_eventlog::{Consumer, HandlerError};
use stoa_kernel::service::{ServiceContext, Task};
use stoa_kernel::{Clock, TenantTx};

/// With more users concerned than this, the whole tenant reloads instead.
const MAX_CONCERNED: i64 = 100;

/// Keeps the projection of branches, and tells the replicas whose "branch and below" has changed.
pub(crate) fn branches(context: &ServiceContext) -> Task {
    let (for_created, for_moved) = (context.clock.clone(), context.clock.clone());
    // A batch holds the lock of policy writes from its first change on.
    Consumer::new(context, "access.branches")
        .batch(50)
        .on::<BranchCreated, _>(move |tx, event| {
            let (branch, clock) = (Branch::from(&event.data), for_created.clone());
            async move { place(tx, &branch, &clock).await }.boxed()
        })
        .on::<BranchMoved, _>(move |tx, event| {
            let (branch, clock) = (Branch::from(&event.data), for_moved.clone());
            async move { place(tx, &branch, &clock).await }.boxed()
        })
        .task()
}

async fn place(tx: &mut TenantTx<'_>, branch: &Branch, clock: &Clock) -> Result<(), HandlerError> {
    let path: Vec<_> = branch.path.iter().map(|id| id.uuid()).collect();
    let id = branch.id.uuid();
    let concerned = store::branch::place(tx, id, &path, branch.version, MAX_CONCERNED + 1).await?;
    let Some(users) = concerned.filter(|users| !users.is_empty()) else {
        return Ok(());
    };
    let after = Some(json!({"branchId": id, "path": path}));
    let change = |user| Change {
        kind: "branch.placed",
        entity: Some(id),
        user,
        before: None,
        after: after.clone(),
    };
    let too_many = i64::try_from(users.len()).unwrap_or(i64::MAX) > MAX_CONCERNED;
    store::record_in(tx, clock.now(), || {
        if too_many {
            vec![change(None)]
        } else {
            users.into_iter().map(|user| change(Some(user))).collect()
        }
    })
    .await?;
    Ok(())
}
