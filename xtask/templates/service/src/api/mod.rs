//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod archive;
mod create;
mod get;
mod list;
mod restore;
mod update;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};

/// The heading in the API's documentation.
const TAG: &str = "__Resources__";
/// What a 404 says is missing.
const WHAT: &str = "__resource__";

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/__resources__",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/__resources__/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route("/api/__resources__/{id}/restore", post_with(restore::handle, restore::docs))
}
