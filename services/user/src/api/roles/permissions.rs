//! `GET /api/users/{id}/permissions`

use crate::{App, ReadUsers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_contracts::access::{PermissionsOf, UserPermissions};
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getUserPermissions")
        .tag(crate::api::users::TAG)
        .summary("Read what a user may do")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
) -> Result<Json<UserPermissions>, Problem> {
    super::check_visible(&app, &mut allowed, id).await?;
    let held = app
        .mesh
        .call(&mut allowed.scope, PermissionsOf { user: id })
        .await?;
    Ok(Json(held))
}
