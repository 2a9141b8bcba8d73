//! `PUT /api/customers/fields/{id}`

use super::{check_rights, found};
use crate::model::{Field, FieldInput};
use crate::{App, ConfigureCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::FieldChange;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::FieldId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateCustomerField")
        .tag(super::TAG)
        .summary("Change a custom field")
        .description(
            "Key, type and decimals stay: stored values depend on them. Values that are there already stay valid, \
             whatever the rules become.",
        )
        .response::<200, Versioned<Field>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ConfigureCustomers>,
    State(app): State<App>,
    Path(id): Path<FieldId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<FieldInput>,
) -> Result<Response, Problem> {
    check_rights(&allowed.rights)?;
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "customer-fields:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_field(tx, id))
        .await?;
    let (mut tx, before) = match begun.judged(found(&rows)).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let after = match changed(&before, expected, input) {
        Ok(after) => after,
        Err(problem) => return tx.refuse(problem).await,
    };
    let field = if after == before {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = Field { record, ..after };
        store::update_field(&mut tx, &after)?;
        stoa_eventlog::append(&mut tx, &app.clock, &after.changed(FieldChange::Updated))?;
        after
    };
    let answer = Answer::ok(field.record.version, field);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn changed(before: &Field, expected: IfMatch, input: FieldInput) -> Result<Field, Problem> {
    if before.record.is_archived() {
        return Err(error::field_archived());
    }
    expected.check(before.record.version)?;
    before.with(input)
}
