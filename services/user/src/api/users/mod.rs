//! `/api/users`

mod archive;
mod create;
mod get;
mod list;
mod restore;
mod update;

use crate::model::User;
use crate::{App, error, store};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::response::Response;
use stoa_contracts::access::{Act, MayActFor};
use stoa_kernel::idempotency::{Answer, Command};
use stoa_kernel::{Problem, Scope, TenantTx};
use stoa_types::UserId;

/// The heading in the API's documentation.
pub(super) const TAG: &str = "Users";
/// What a 404 says is missing.
pub(super) const WHAT: &str = "user";

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/users",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/users/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/users/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
}

/// Asks the access service whether the caller may do this to another user, who may hold more. Nobody asks for themselves.
///
/// # Errors
/// 403 when the user holds more than the caller; 409 when the last administrator is to be archived.
async fn check_may_act_for(app: &App, scope: &mut Scope, user: UserId, act: Act) -> Result<(), Problem> {
    if scope.user() != Some(user) {
        app.mesh.call(scope, MayActFor { user, act }).await?;
    }
    Ok(())
}

/// Writes what differs between two versions of a locked user, with its event, and answers with the user.
pub(super) async fn save(
    app: &App,
    command: &Command<'_>,
    mut tx: TenantTx<'_>,
    before: User,
    after: User,
) -> Result<Response, Problem> {
    let changed = before.changed_fields(&after);
    let user = if changed.is_empty() {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = User { record, ..after };
        store::update(&mut tx, &after);
        store::words(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &after.updated(changed))?;
        after
    };
    let answer = Answer::ok(user.record.version, user);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
