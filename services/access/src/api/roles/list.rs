//! `GET /api/iam/roles`

use crate::model::Role;
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
) -> Result<Json<Page<Role>>, Problem> {
    let plan = query.plan(store::role::SORT)?;
    let roles = store::role::page(app.context.db.app.begin(&mut allowed.scope), &plan).await?;
    Ok(Json(plan.page(roles, |role| {
        let value = match plan.key.field {
            "createdAt" => role.created_at.to_string(),
            _ => role.name.clone(),
        };
        (value, role.id.uuid())
    })))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.roles.list")
        .tag("iam")
        .summary("List roles")
        .description("Sort by `name` (default) or `createdAt`.")
}
