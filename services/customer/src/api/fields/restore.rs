//! `POST /api/customers/fields/{id}/restore`

use super::{check_rights, found};
use crate::model::{Field, MAX_FIELDS};
use crate::{App, ConfigureCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::FieldChange;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::FieldId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreCustomerField")
        .tag(super::TAG)
        .summary("Restore an archived custom field")
        .description("409 `customers.too_many_fields` when the tenant has 100 others by now.")
        .response::<200, Versioned<Field>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ConfigureCustomers>,
    State(app): State<App>,
    Path(id): Path<FieldId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    check_rights(&allowed.rights)?;
    let command = Command::new(
        SERVICE,
        "customer-fields:restore",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_field(tx, id);
            store::all_fields(tx);
        })
        .await?;
    let (mut tx, field) = match begun.judged(found(&rows)).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let others = store::fields(rows.get(1).map_or(&[], |r| r))?;
    if let Err(problem) = may_restore(&field, &others) {
        return tx.refuse(problem).await;
    }
    let record = field.record.restored(tx.origin(), &app.clock);
    let field = Field { record, ..field };
    store::update_field(&mut tx, &field)?;
    stoa_eventlog::append(&mut tx, &app.clock, &field.changed(FieldChange::Restored))?;
    let answer = Answer::ok(field.record.version, field);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_restore(field: &Field, others: &[Field]) -> Result<(), Problem> {
    if !field.record.is_archived() {
        return Err(error::field_not_archived());
    }
    let live = others.iter().filter(|field| !field.record.is_archived());
    if live.count() >= MAX_FIELDS {
        return Err(error::too_many_fields());
    }
    Ok(())
}
