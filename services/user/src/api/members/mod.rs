//! `/api/teams/{id}/members`

mod add;
mod remove;
mod replace;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{post_with, put_with};
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_types::{TeamId, UserId};

/// Which member of which team.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Place {
    /// The team.
    id: TeamId,
    /// The user.
    user_id: UserId,
}

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/teams/{id}/members",
            put_with(replace::handle, replace::docs),
        )
        .api_route(
            "/api/teams/{id}/members/{userId}",
            post_with(add::handle, add::docs).delete_with(remove::handle, remove::docs),
        )
}
