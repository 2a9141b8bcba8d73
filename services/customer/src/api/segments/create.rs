//! `POST /api/customers/segments`

use crate::model::{Segment, SegmentInput};
use crate::{App, ReadCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::SegmentChange;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::SegmentId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createCustomerSegment")
        .tag(super::TAG)
        .summary("Save a condition on customers")
        .description(
            "All who may read customers see the segment, and each finds with it what they may see. 409 \
             `customers.segment_name_taken` when another one has the name.",
        )
        .response::<201, Created<Segment>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<SegmentInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "customer-segments:create",
        key,
        &input,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, store::all_fields)
        .await?;
    let (mut tx, ()) = match begun.judged(Ok(())).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let fields = store::fields(rows.first().map_or(&[], |r| r))?;
    if let Err(problem) = super::check(&input, &fields) {
        return tx.refuse(problem).await;
    }
    let record = Record::new(tx.origin(), &app.clock);
    let segment = Segment::new(SegmentId::new(), input, record);
    store::insert_segment(&mut tx, &segment);
    stoa_eventlog::append(&mut tx, &app.clock, &segment.changed(SegmentChange::Created))?;
    let location = format!("/api/customers/segments/{}", segment.id);
    let answer = Answer::created(location, segment.record.version, segment);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
