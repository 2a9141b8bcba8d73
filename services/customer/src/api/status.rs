//! `POST /api/customers/{id}/status`

use crate::model::{Customer, StatusChange, next_statuses};
use crate::{App, ReadCustomers, SERVICE, UpdateCustomers, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights};
use stoa_types::CustomerId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("changeCustomerStatus")
        .tag(super::TAG)
        .summary("Move a customer along its lifecycle")
        .description(
            "`lead` → `active` | `lost`; `active` → `inactive` | `lost`; `inactive` → `active` | `lost`; `lost` → \
             `lead`. Anything else is 409 `customers.status_move`.",
        )
        .response::<200, Versioned<Customer>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(change): Json<StatusChange>,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "customers:status",
        key,
        &(id, change),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::customer(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadCustomers, _>(found, super::WHAT);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let record = before.record.changed(tx.origin(), &app.clock);
    let after = Customer {
        status: change.status,
        record,
        ..before.clone()
    };
    if let Err(problem) = may_become(&allowed.rights, &before, &after, expected) {
        return tx.refuse(problem).await;
    }
    store::update(&mut tx, &after);
    stoa_eventlog::append(&mut tx, &app.clock, &after.status_changed(before.status))?;
    let answer = Answer::ok(after.record.version, after);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_become(
    rights: &Rights<UpdateCustomers>,
    before: &Customer,
    after: &Customer,
    expected: IfMatch,
) -> Result<(), Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    let next = next_statuses(before.status);
    if !next.contains(&after.status) {
        return Err(error::no_such_move(before.status, next));
    }
    rights.to_become(after)
}
