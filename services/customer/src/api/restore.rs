//! `POST /api/customers/{id}/restore`

use crate::model::Customer;
use crate::{App, ArchiveCustomers, ReadCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::CustomerId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreCustomer")
        .tag(super::TAG)
        .summary("Restore an archived customer")
        .description(
            "409 `customers.email_taken` or `customers.external_key_taken` when a live customer has taken its e-mail \
             address or external key, and `customers.merged` when it was merged into another: the merge is undone \
             instead.",
        )
        .response::<200, Versioned<Customer>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "customers:restore", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::customer(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadCustomers, _>(found, super::WHAT);
    let (mut tx, customer) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if !customer.record.is_archived() {
        return tx.refuse(error::not_archived()).await;
    }
    if customer.merged_into.is_some() {
        return tx.refuse(error::merged()).await;
    }
    let record = customer.record.restored(tx.origin(), &app.clock);
    let customer = Customer { record, ..customer };
    store::update(&mut tx, &customer);
    stoa_eventlog::append(&mut tx, &app.clock, &customer.restored())?;
    let answer = Answer::ok(customer.record.version, customer);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
