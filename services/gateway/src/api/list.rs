//! `GET /api/admin/routes`

use super::State;
use crate::ReadRoutes;
use crate::model::Route;
use crate::store;
use aide::transform::TransformOperation;
use axum::extract;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(super) fn describe(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listRoutes")
        .summary("List the tenant's own routes")
        .description(
            "Sorted by `name` or `createdAt`. The platform's routes are in `/api/admin/routes/platform`.",
        )
        .tag("Routes")
}

pub(super) async fn list(
    extract::State(state): extract::State<State>,
    mut allowed: Allowed<ReadRoutes>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Route>>, Problem> {
    let plan = query.plan(store::SORT_KEYS)?;
    let routes = store::list(&state.db.app, &mut allowed.scope, &plan).await?;
    Ok(Json(plan.page(routes, |route| {
        let value = match plan.key.field {
            "createdAt" => route.created_at.to_string(),
            _ => route.spec.name.clone(),
        };
        (value, route.id)
    })))
}
