//! `/api/interactions`

mod archive;
mod create;
mod get;
mod list;
mod update;

use super::INTERACTION;
use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;

/// The heading in the API's documentation.
const TAG: &str = "Interactions";

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/interactions",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/interactions/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
}
