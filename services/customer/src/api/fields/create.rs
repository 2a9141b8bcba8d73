//! `POST /api/customers/fields`

use super::check_rights;
use crate::model::{Field, FieldInput, MAX_FIELDS, MAX_KEPT_FIELDS};
use crate::{App, ConfigureCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::FieldChange;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::FieldId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createCustomerField")
        .tag(super::TAG)
        .summary("Define a custom field")
        .description(
            "A tenant has at most 100 fields that are not archived, and 500 with the archived ones (409 \
             `customers.too_many_fields`); 409 `customers.field_key_taken` when another one has the key, archived or not.",
        )
        .response::<201, Created<Field>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<ConfigureCustomers>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<FieldInput>,
) -> Result<Response, Problem> {
    check_rights(&allowed.rights)?;
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "customer-fields:create",
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
    let live = fields.iter().filter(|field| !field.record.is_archived());
    if live.count() >= MAX_FIELDS || fields.len() >= MAX_KEPT_FIELDS {
        return tx.refuse(error::too_many_fields()).await;
    }
    let field = Field::new(FieldId::new(), input, Record::new(tx.origin(), &app.clock));
    store::insert_field(&mut tx, &field)?;
    stoa_eventlog::append(&mut tx, &app.clock, &field.changed(FieldChange::Created))?;
    let location = format!("/api/customers/fields/{}", field.id);
    let answer = Answer::created(location, field.record.version, field);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
