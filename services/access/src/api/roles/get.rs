//! `GET /api/iam/roles/{id}`

use crate::api::RolePath;
use crate::model::Role;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(path): Path<RolePath>,
) -> Result<Versioned<Role>, Problem> {
    let role = store::role::get(app.context.db.app.begin(&mut allowed.scope), path.id)
        .await?
        .ok_or_else(|| Problem::not_found("role"))?;
    Ok(Versioned {
        version: role.version,
        body: role,
    })
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.roles.get").tag("iam").summary("Get a role")
}
