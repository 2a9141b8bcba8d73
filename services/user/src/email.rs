//! Whether an e-mail address is free: unique among the live users of a tenant by this service's own constraint, and
//! among all accounts of the installation by the identity service, which is asked first.

use crate::{App, error};
use stoa_contracts::identity::CheckEmail;
use stoa_kernel::{Problem, Scope};
use stoa_types::UserId;

/// Asks the identity service whether an address can become the sign-in name of `user`, or of a new one.
///
/// # Errors
/// 409 when somebody else has it, 503 when the identity service cannot be asked.
pub(crate) async fn check_available(
    app: &App,
    scope: &mut Scope,
    email: &str,
    user: Option<UserId>,
) -> Result<(), Problem> {
    let email = email.to_owned();
    if app.mesh.call(scope, CheckEmail { email, user }).await?.available {
        return Ok(());
    }
    Err(error::email_taken())
}
