//! `POST /api/customers/operations/{id}/cancel`

use super::view;
use crate::{App, ReadCustomers, SERVICE};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use stoa_eventlog::jobs::Operation;
use stoa_kernel::http::{Json, Path};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::OperationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("cancelCustomerOperation")
        .tag(super::TAG)
        .summary("Cancel an import or a bulk update")
        .description(
            "One that waits is cancelled at once; one that runs stops before its next batch. What it has done by then \
             stays. 409 `operation.finished` when it is over.",
        )
        .response::<200, Json<Operation>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<OperationId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "customers:cancelOperation",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let view = view(&allowed);
    let tx = match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (tx, operation) = view.cancel(tx, &app.clock, id).await?;
    Ok(command.commit(tx, Answer::of(StatusCode::OK, operation)).await?)
}
