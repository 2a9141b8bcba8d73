//! `GET /api/admin/routes/platform`

use super::State;
use crate::ReadRoutes;
use crate::model::Route;
use crate::store;
use aide::transform::TransformOperation;
use axum::extract;
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::http::Json;
use stoa_kernel::{Allowed, Problem};

/// The platform's routes, which hold wherever the tenant has none of its own.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlatformRoutes {
    /// In order of precedence.
    items: Vec<Route>,
}

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listPlatformRoutes")
        .summary("List the platform's routes")
        .description(
            "They hold for every tenant, behind the tenant's own routes, and are read-only here: one for each path \
             prefix of each service.",
        )
        .tag("Routes")
}

pub(super) async fn list(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<ReadRoutes>,
) -> Result<Json<PlatformRoutes>, Problem> {
    let items = store::platform_routes(&state.db.system, &mut allowed.scope).await?;
    Ok(Json(PlatformRoutes { items }))
}
