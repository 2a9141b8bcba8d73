//! `GET /api/users/me/permissions`

use crate::App;
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_contracts::access::{PermissionsOf, UserPermissions};
use stoa_kernel::Problem;
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::http::Json;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getMyPermissions")
        .tag(crate::api::users::TAG)
        .summary("Read what one may do oneself")
}

pub(super) async fn handle(
    mut caller: SignedIn,
    State(app): State<App>,
) -> Result<Json<UserPermissions>, Problem> {
    let user = super::myself(&caller.scope)?;
    let held = app.mesh.call(&mut caller.scope, PermissionsOf { user }).await?;
    Ok(Json(held))
}
