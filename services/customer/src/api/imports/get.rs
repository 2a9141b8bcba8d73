//! `GET /api/customers/imports/{id}`

use crate::import::Upload;
use crate::{App, ImportCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UploadId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getCustomerImport")
        .tag(super::TAG)
        .summary("Read what a file that was sent to be imported turned out to be")
}

pub(super) async fn handle(
    mut allowed: Allowed<ImportCustomers>,
    State(app): State<App>,
    Path(id): Path<UploadId>,
) -> Result<Json<Upload>, Problem> {
    Ok(Json(super::find(&mut allowed, &app, id).await?.into()))
}
