//! `/api/iam/assignments`, and the home branch that a user has for all of them.

pub(super) mod branch;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;

use crate::error::{archived_user, unknown_branch, unknown_user};
use crate::{App, store};
use stoa_contracts::organization::GetBranch;
use stoa_contracts::user::GetUser;
use stoa_kernel::{CallError, Problem, Scope};
use stoa_types::{BranchId, UserId};

/// Refuses (422) a user who does not exist or is archived: an administrator whom nobody is would count as one, and the
/// last who is could go. Asks the user service, and so runs before the transaction.
async fn check_user(app: &App, scope: &mut Scope, user: UserId) -> Result<(), Problem> {
    match app.context.mesh.call(scope, GetUser { id: user }).await {
        Ok(card) if card.archived => Err(archived_user()),
        Ok(_) => Ok(()),
        Err(CallError::Refused(problem)) if problem.status == 404 => Err(unknown_user()),
        Err(error) => Err(error.into()),
    }
}

/// Refuses (422) a branch that does not exist. Asks the organization service when its event has not arrived yet, and
/// so runs before the transaction.
async fn check_branch(app: &App, scope: &mut Scope, branch: BranchId) -> Result<(), Problem> {
    let tx = app.context.db.app.begin(scope);
    if store::branch::exists(tx, branch.uuid()).await? {
        return Ok(());
    }
    match app.context.mesh.call(scope, GetBranch { id: branch }).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused(problem)) if problem.status == 404 => Err(unknown_branch()),
        Err(error) => Err(error.into()),
    }
}
