//! Who may own a customer: a live user of the tenant, as the user service knows it.

use crate::App;
use stoa_contracts::user::FindUsers;
use stoa_kernel::{FieldError, Problem, Scope};
use stoa_types::UserId;

/// Refuses an owner that is no live user of the scope's tenant; `pointer` is where the request names it.
///
/// # Errors
/// 422 when there is no such user, 503 when the user service cannot be asked.
pub(crate) async fn check(app: &App, scope: &mut Scope, owner: UserId, pointer: &str) -> Result<(), Problem> {
    let keys = vec![owner.to_string()];
    let found = app.mesh.call(scope, FindUsers { keys }).await?;
    if found.users.first() != Some(&Some(owner)) {
        let detail = "there is no such user";
        return Err(Problem::invalid(vec![FieldError::new(
            pointer, "unknown", detail,
        )]));
    }
    Ok(())
}
