//! Giving and taking roles, for the endpoints and for the calls of other services.

use crate::administration::Administration;
use crate::error::last_administrator;
use crate::model::Assignment;
use crate::store::administration::{Loss, read, remains};
use crate::store::{self, Change, PolicyWrite, snapshot};
use stoa_kernel::Problem;
use stoa_types::BranchId;

/// Adds an assignment to the write; `home` is the user's branch until now, the assignment's the one from now on.
///
/// # Errors
/// 409 when a denial of the role would leave nobody to administer the tenant.
pub(crate) async fn give(
    write: &mut PolicyWrite<'_>,
    administration: &Administration,
    assignment: &Assignment,
    home: Option<BranchId>,
) -> Result<(), Problem> {
    let loss = Loss {
        user: Some(assignment.user_id),
        ..Loss::default()
    };
    if administration.denying.contains(&assignment.role_id) {
        keep_administrable(write, administration, loss).await?;
    }
    write.change(store::assignment::insert(write.tenant(), assignment));
    if assignment.branch_id != home {
        let (user, branch) = (assignment.user_id, assignment.branch_id);
        let set = store::assignment::set_home(write.tenant(), user, branch, write.now, &write.actor);
        write.change(set);
    }
    write.record(Change {
        kind: "assignment.created",
        entity: Some(assignment.id.uuid()),
        user: Some(assignment.user_id),
        before: None,
        after: snapshot(assignment),
    });
    Ok(())
}

/// Adds the end of an assignment to the write.
///
/// # Errors
/// 409 when nobody would be left to administer the tenant.
pub(crate) async fn take(
    write: &mut PolicyWrite<'_>,
    administration: &Administration,
    assignment: &Assignment,
) -> Result<(), Problem> {
    let loss = Loss {
        assignment: Some(assignment.id),
        ..Loss::default()
    };
    // One with an end never counted as what keeps the tenant administrable.
    if administration.allowing.contains(&assignment.role_id) && assignment.valid_until.is_none() {
        keep_administrable(write, administration, loss).await?;
    }
    write.change(store::assignment::delete(assignment.id));
    write.record(Change {
        kind: "assignment.deleted",
        entity: Some(assignment.id.uuid()),
        user: Some(assignment.user_id),
        before: snapshot(assignment),
        after: None,
    });
    Ok(())
}

/// Refuses (409) a write after which nobody would hold `iam:write` without end.
pub(crate) async fn keep_administrable(
    write: &mut PolicyWrite<'_>,
    after: &Administration,
    loss: Loss,
) -> Result<(), Problem> {
    let now = write.now;
    match write.ask(remains(after, loss, now)).await?.one(read)? {
        Some(true) => Ok(()),
        _ => Err(last_administrator()),
    }
}
