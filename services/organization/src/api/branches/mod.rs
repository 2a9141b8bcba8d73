//! `/api/organizations/{id}/branches` and `/api/branches`.

mod archive;
mod children;
mod create;
mod get;
mod list;
mod relocate;
mod restore;
mod update;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};

pub(crate) use create::above;

/// The heading in the API's documentation.
const TAG: &str = "Branches";
/// What a 404 says is missing.
const WHAT: &str = "branch";

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/organizations/{id}/branches",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/branches/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/branches/{id}/children",
            get_with(children::handle, children::docs),
        )
        .api_route(
            "/api/branches/{id}/move",
            post_with(relocate::handle, relocate::docs),
        )
        .api_route(
            "/api/branches/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
}
