//! `GET /api/users/{id}/roles`

use crate::{App, ReadUsers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_contracts::access::{HeldRoles, RolesOf};
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listUserRoles")
        .tag(crate::api::users::TAG)
        .summary("List the roles that a user is assigned")
        .description("Past and future ones too, without inherited ones.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
) -> Result<Json<HeldRoles>, Problem> {
    super::check_visible(&app, &mut allowed, id).await?;
    let held = app.mesh.call(&mut allowed.scope, RolesOf { user: id }).await?;
    Ok(Json(held))
}
