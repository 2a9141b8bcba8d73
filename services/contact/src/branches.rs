//! Which branches exist: known from events, or asked for when the event has not arrived yet.

use crate::{App, store};
use stoa_contracts::organization::GetBranch;
use stoa_kernel::{CallError, FieldError, Problem, Scope};
use stoa_types::BranchId;

/// Asks the organization service for a branch and keeps it, so that [`store::find_branch`] finds it from now on.
///
/// # Errors
/// 422 when there is no such branch, 503 when the organization service cannot be asked.
pub(crate) async fn learn(app: &App, scope: &mut Scope, id: BranchId) -> Result<(), Problem> {
    let branch = match app.mesh.call(scope, GetBranch { id }).await {
        Ok(branch) => branch,
        Err(CallError::Refused(problem)) if problem.status == 404 => {
            return Err(refused("unknown", "there is no such branch"));
        }
        Err(error) => return Err(error.into()),
    };
    let mut tx = app.db.begin(scope);
    store::keep_branch(&mut tx, branch.id, branch.archived, branch.version);
    tx.commit().await?;
    Ok(())
}

/// Refuses a branch that takes no contacts.
///
/// # Errors
/// 422 when it is archived.
pub(crate) fn check_live(archived: bool) -> Result<(), Problem> {
    if archived {
        return Err(refused("archived", "the branch is archived; choose another"));
    }
    Ok(())
}

fn refused(rule: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError::new("/branchId", rule, detail)])
}
