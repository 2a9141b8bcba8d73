//! `GET /api/admin/routes/{id}`

use super::State;
use crate::ReadRoutes;
use crate::model::Route;
use crate::store;
use aide::transform::TransformOperation;
use axum::extract;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::{Allowed, Problem};
use uuid::Uuid;

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getRoute")
        .summary("Read one of the tenant's routes")
        .tag("Routes")
}

pub(super) async fn get(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<ReadRoutes>,
    Path(id): Path<Uuid>,
) -> Result<Versioned<Route>, Problem> {
    let route = store::get(&state.db.app, &mut allowed.scope, id)
        .await?
        .ok_or_else(|| Problem::not_found("route"))?;
    Ok(Versioned {
        version: route.version,
        body: route,
    })
}
