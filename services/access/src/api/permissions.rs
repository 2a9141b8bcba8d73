//! `GET /api/iam/permissions`

use crate::model::CataloguedPermission;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<CataloguedPermission>>, Problem> {
    let plan = query.plan(store::endpoint::PERMISSION_SORT)?;
    let tx = app.context.db.system.begin_system(&mut allowed.scope);
    let permissions = store::endpoint::permissions(tx, &plan).await?;
    Ok(Json(plan.page(permissions, |permission| {
        (permission.name.clone(), permission.id)
    })))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.permissions.list")
        .tag("iam")
        .summary("List the permissions that the services ask for")
        .description("A grant may name others too, for services behind the gateway that are not Stoa's.")
}
