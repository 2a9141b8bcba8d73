//! `/api/users/me`: what every signed-in user may see and change of themselves, whatever their roles.

mod get;
mod permissions;
mod update;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use stoa_kernel::{Problem, Scope};
use stoa_types::UserId;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/users/me",
            get_with(get::handle, get::docs).put_with(update::handle, update::docs),
        )
        .api_route(
            "/api/users/me/permissions",
            get_with(permissions::handle, permissions::docs),
        )
}

/// The caller's own id.
fn myself(scope: &Scope) -> Result<UserId, Problem> {
    scope
        .user()
        .ok_or_else(|| Problem::unauthenticated("send a user's access token as Bearer"))
}
