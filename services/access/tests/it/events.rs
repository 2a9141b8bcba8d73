//! Events as other services emit them, and what they lead to.

use crate::harness::{Process, TEST};
use std::time::Duration;
use stoa_contracts::organization::Branch;
use stoa_contracts::user::TeamChanged;
use stoa_kernel::Event;
use stoa_kernel::request::Identity;
use stoa_policy::Value;
use stoa_types::{BranchId, OrganizationId, TeamId, TenantId, UserId};

/// As another service would, in a transaction of the tenant.
pub(crate) async fn emit<E: Event>(process: &Process, tenant: TenantId, event: E) {
    let mut scope = TEST.scope(tenant, Duration::from_secs(5));
    let mut tx = process.context.db.app.begin(&mut scope);
    stoa_eventlog::append(&mut tx, &process.context.clock, &event).unwrap();
    tx.commit().await.unwrap();
}

/// A branch of organization 1.
pub(crate) fn branch(id: BranchId, above: &[BranchId], version: i64) -> Branch {
    Branch {
        id,
        organization: OrganizationId(uuid::Uuid::from_u128(1)),
        parent: above.last().copied(),
        name: "branch".into(),
        path: above.iter().copied().chain([id]).collect(),
        archived: false,
        version,
    }
}

pub(crate) fn team(team_id: TeamId, members: &[UserId], version: i64) -> TeamChanged {
    TeamChanged {
        team_id,
        members: members.to_vec(),
        archived: false,
        version,
    }
}

/// Whether a user may read a customer of this owner in this branch.
pub(crate) async fn reads(
    process: &Process,
    (tenant, user): (TenantId, UserId),
    owner: UserId,
    branch: BranchId,
) -> bool {
    let identity = Identity { tenant, user };
    let caller = process.context.decisions.caller(identity).await.unwrap();
    let row = [
        ("ownerId", Value::Uuid(owner.uuid())),
        ("branchId", Value::Uuid(branch.uuid())),
    ];
    caller.decide("customers:read", Some(&row)).allowed
}
