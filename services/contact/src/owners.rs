//! Who may own a contact: a live user of the tenant, as the user service knows it.

use crate::App;
use stoa_contracts::user::FindUsers;
use stoa_kernel::{FieldError, Problem, Scope};
use stoa_types::UserId;

/// Refuses an owner that is no live user of the scope's tenant.
///
/// # Errors
/// 422 when there is no such user, 503 when the user service cannot be asked.
pub(crate) async fn check(app: &App, scope: &mut Scope, owner: UserId) -> Result<(), Problem> {
    let keys = vec![owner.to_string()];
    let found = app.mesh.call(scope, FindUsers { keys }).await?;
    if found.users.first() != Some(&Some(owner)) {
        let detail = "there is no such user";
        return Err(Problem::invalid(vec![FieldError::new(
            "/ownerId", "unknown", detail,
        )]));
    }
    Ok(())
}
