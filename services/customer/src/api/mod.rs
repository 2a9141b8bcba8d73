//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod activities;
mod archive;
mod create;
mod get;
mod list;
mod patch;
mod restore;
mod stats;
mod status;
mod update;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_policy::DataScope;

/// The heading in the API's documentation.
const TAG: &str = "Customers";
/// What a 404 says is missing.
const WHAT: &str = "customer";

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/customers",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route("/api/customers/stats", get_with(stats::handle, stats::docs))
        .api_route(
            "/api/customers/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .patch_with(patch::handle, patch::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/customers/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
        .api_route(
            "/api/customers/{id}/status",
            post_with(status::handle, status::docs),
        )
        .api_route(
            "/api/customers/{id}/activities",
            get_with(activities::handle, activities::docs),
        )
}

/// Narrows a list to a part of what the caller may see; it never widens it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Narrow {
    /// What the caller owns.
    Own,
    /// What belongs to the caller's branch or one below it.
    Branch,
    /// All that the caller may see.
    All,
}

impl From<Narrow> for DataScope {
    fn from(narrow: Narrow) -> Self {
        match narrow {
            Narrow::Own => Self::Own,
            Narrow::Branch => Self::Branch,
            Narrow::All => Self::All,
        }
    }
}
