//! `GET /api/iam/assignments/{id}`

use crate::api::AssignmentPath;
use crate::model::Assignment;
use crate::{App, ReadPolicy, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};

pub(crate) async fn handler(
    State(app): State<App>,
    mut allowed: Allowed<ReadPolicy>,
    Path(path): Path<AssignmentPath>,
) -> Result<Json<Assignment>, Problem> {
    let tx = app.context.db.app.begin(&mut allowed.scope);
    let assignment = store::assignment::get(tx, path.id).await?;
    Ok(Json(assignment.ok_or_else(|| Problem::not_found("assignment"))?))
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("iam.assignments.get")
        .tag("iam")
        .summary("Get an assignment")
}
