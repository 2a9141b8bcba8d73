//! `GET /api/customers/operations/{id}`

use super::view;
use crate::{App, ReadCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_eventlog::jobs::Operation;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::OperationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getCustomerOperation")
        .tag(super::TAG)
        .summary("Read how far an import or a bulk update is")
        .description("`done` and `total` count rows; `result` says what became of them.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<OperationId>,
) -> Result<Json<Operation>, Problem> {
    let view = view(&allowed);
    Ok(Json(view.find(app.db.begin(&mut allowed.scope), id).await?))
}
