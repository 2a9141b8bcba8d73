//! What this service learns from others: where branches are, who is in which team, and who is archived.

use crate::store::{self, Change};
use futures::FutureExt;
use serde_json::{Value, json};
use stoa_contracts::organization::{
    Branch, BranchArchived, BranchCreated, BranchMoved, BranchRenamed, BranchRestored,
};
use stoa_contracts::user::{TeamChanged, UserArchived, UserRestored};
use stoa_eventlog::Consumer;
use stoa_kernel::service::{ServiceContext, Task};
use stoa_kernel::{Clock, DbError, TenantTx};
use stoa_types::UserId;
use uuid::Uuid;

/// With more users concerned than this, every user of the tenant loads again instead.
const MAX_CONCERNED: i64 = 100;
/// The most events in one transaction, which holds the lock of policy writes from its first change on.
const BATCH: usize = 50;

/// Keeps the projection of branches, and tells the replicas of the users who see others than before.
///
/// An archived branch keeps its place: its rows are still somebody's to see. Its events are read all the same, because
/// each carries the whole branch.
pub(crate) fn branches(context: &ServiceContext) -> Task {
    macro_rules! placing {
        ($consumer:expr, $($event:ty),+) => {
            $consumer$(.on::<$event, _>({
                let clock = context.clock.clone();
                move |tx, event| {
                    let (branch, clock) = (Branch::from(&event.data), clock.clone());
                    async move { Ok(place(tx, &branch, &clock).await?) }.boxed()
                }
            }))+
        };
    }
    placing!(
        Consumer::new(context, "access.branches").batch(BATCH),
        BranchCreated,
        BranchMoved,
        BranchRenamed,
        BranchArchived,
        BranchRestored
    )
    .task()
}

/// Keeps the projection of teams, and tells the replicas of everybody in one that changed.
pub(crate) fn teams(context: &ServiceContext) -> Task {
    let clock = context.clock.clone();
    Consumer::new(context, "access.teams")
        .batch(BATCH)
        .on::<TeamChanged, _>(move |tx, event| {
            let (team, clock) = (event.data.clone(), clock.clone());
            async move { Ok(keep(tx, &team, &clock).await?) }.boxed()
        })
        .task()
}

/// Keeps who is archived, and tells the replicas: who is holds nothing.
pub(crate) fn users(context: &ServiceContext) -> Task {
    let (archived, restored) = (context.clock.clone(), context.clock.clone());
    Consumer::new(context, "access.users")
        .batch(BATCH)
        .on::<UserArchived, _>(move |tx, event| {
            let (user, version, clock) = (event.data.user_id, event.data.version, archived.clone());
            async move { Ok(archive(tx, user, true, version, &clock).await?) }.boxed()
        })
        .on::<UserRestored, _>(move |tx, event| {
            let (user, version, clock) = (event.data.user_id, event.data.version, restored.clone());
            async move { Ok(archive(tx, user, false, version, &clock).await?) }.boxed()
        })
        .task()
}

async fn archive(
    tx: &mut TenantTx<'_>,
    user: UserId,
    is_archived: bool,
    version: i64,
    clock: &Clock,
) -> Result<(), DbError> {
    if !store::subject::keep(tx, user, is_archived, version, clock.now()).await? {
        return Ok(());
    }
    let kind = if is_archived {
        store::subject::ARCHIVED
    } else {
        store::subject::RESTORED
    };
    let after = json!({ "userId": user, "archived": is_archived });
    tell(tx, kind, user.uuid(), vec![user], after, clock).await
}

/// Puts a branch into the projection. The lock of policy writes comes first: an event's batch and whoever asks for an
/// organization lock the same rows.
pub(crate) async fn place(tx: &mut TenantTx<'_>, branch: &Branch, clock: &Clock) -> Result<(), DbError> {
    store::lock_changes(tx).await?;
    let concerned = store::branch::place(tx, branch, MAX_CONCERNED + 1).await?;
    let after = json!({
        "branchId": branch.id, "organizationId": branch.organization, "path": branch.path,
    });
    let users = concerned.unwrap_or_default();
    tell(tx, store::branch::PLACED, branch.id.uuid(), users, after, clock).await
}

async fn keep(tx: &mut TenantTx<'_>, team: &TeamChanged, clock: &Clock) -> Result<(), DbError> {
    let members = if team.archived { &[] } else { &*team.members };
    let concerned = store::team::keep(tx, team.team_id, members, team.version).await?;
    let after = json!({ "teamId": team.team_id, "members": members });
    let users = concerned.unwrap_or_default();
    tell(tx, store::team::CHANGED, team.team_id.uuid(), users, after, clock).await
}

/// One change row a user, or one for all when there are many; none without users.
async fn tell(
    tx: &mut TenantTx<'_>,
    kind: &'static str,
    entity: Uuid,
    users: Vec<UserId>,
    after: Value,
    clock: &Clock,
) -> Result<(), DbError> {
    if users.is_empty() {
        return Ok(());
    }
    let change = |user| Change {
        kind,
        entity: Some(entity),
        user,
        before: None,
        after: Some(after.clone()),
    };
    let too_many = i64::try_from(users.len()).unwrap_or(i64::MAX) > MAX_CONCERNED;
    store::record_in(tx, clock.now(), || {
        if too_many {
            vec![change(None)]
        } else {
            users.into_iter().map(|user| change(Some(user))).collect()
        }
    })
    .await
}
