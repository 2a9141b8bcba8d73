//! `GET /api/iam/roles/{id}/grants/{grantId}`

use crate::api::GrantPath;
use crate::model::Grant;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(path): Path<GrantPath>,
) -> Result<Json<Grant>, Problem> {
    let tx = app.context.db.app.begin(&mut allowed.scope);
    let grant = store::grant::get(tx, path.id, path.grant).await?;
    Ok(Json(grant.ok_or_else(|| Problem::not_found("grant"))?))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.grants.get").tag("iam").summary("Get a grant")
}
