//! `PUT /api/customers/segments/{id}`

use super::changeable;
use crate::model::{Field, Segment, SegmentInput};
use crate::{App, ReadCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::SegmentChange;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::SegmentId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateCustomerSegment")
        .tag(super::TAG)
        .summary("Change a segment")
        .description("For who created it, and for who holds `customers:configure` in the data scope `all`.")
        .response::<200, Versioned<Segment>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<SegmentId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<SegmentInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let user = allowed.scope.user();
    let command = Command::new(
        SERVICE,
        "customer-segments:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_segment(tx, id);
            store::all_fields(tx);
        })
        .await?;
    let verdict = changeable(&rows, &allowed.rights, user);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let fields = store::fields(rows.get(1).map_or(&[], |r| r))?;
    if let Err(problem) = check(&before, expected, &input, &fields) {
        return tx.refuse(problem).await;
    }
    let after = Segment::new(id, input, before.record.clone());
    let segment = if after == before {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = Segment { record, ..after };
        store::update_segment(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &after.changed(SegmentChange::Updated))?;
        after
    };
    let answer = Answer::ok(segment.record.version, segment);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn check(before: &Segment, expected: IfMatch, input: &SegmentInput, fields: &[Field]) -> Result<(), Problem> {
    expected.check(before.record.version)?;
    super::check(input, fields)
}
