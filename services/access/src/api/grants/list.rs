//! `GET /api/iam/roles/{id}/grants`

use crate::api::RolePath;
use crate::model::Grant;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(RolePath { id }): Path<RolePath>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Grant>>, Problem> {
    let plan = query.plan(store::grant::SORT)?;
    let db = &app.context.db.app;
    let grants = store::grant::page(db.begin(&mut allowed.scope), &plan, id).await?;
    if grants.is_empty()
        && store::role::get(db.begin(&mut allowed.scope), id)
            .await?
            .is_none()
    {
        return Err(Problem::not_found("role"));
    }
    Ok(Json(plan.page(grants, |grant| {
        (grant.permission.clone(), grant.id.uuid())
    })))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.grants.list")
        .tag("iam")
        .summary("List a role's own grants")
        .description("Inherited grants are listed at the roles that hold them.")
}
