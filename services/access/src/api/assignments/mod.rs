//! `/api/iam/assignments`, and the home branch that a user has for all of them.

pub(super) mod branch;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;

use crate::error::unknown_branch;
use crate::{App, store};
use stoa_contracts::organization::GetBranch;
use stoa_kernel::{CallError, Problem, Scope};
use stoa_types::BranchId;

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
