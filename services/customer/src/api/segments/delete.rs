//! `DELETE /api/customers/segments/{id}`

use super::changeable;
use crate::model::Segment;
use crate::{App, ReadCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_contracts::customer::SegmentChange;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::SegmentId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("deleteCustomerSegment")
        .tag(super::TAG)
        .summary("Delete a segment")
        .description(
            "Its customers stay. For who created it, and for who holds `customers:configure` in the data scope `all`.",
        )
        .response::<204, ()>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<SegmentId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let user = allowed.scope.user();
    let command = Command::new(
        SERVICE,
        "customer-segments:delete",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_segment(tx, id))
        .await?;
    let verdict = changeable(&rows, &allowed.rights, user);
    let (mut tx, segment) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = expected.check(segment.record.version) {
        return tx.refuse(problem).await;
    }
    let record = segment.record.archived(tx.origin(), &app.clock);
    let segment = Segment { record, ..segment };
    store::update_segment(&mut tx, &segment);
    stoa_eventlog::append(&mut tx, &app.clock, &segment.changed(SegmentChange::Deleted))?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
