//! `DELETE /api/customers/{id}`

use crate::model::Customer;
use crate::{App, ArchiveCustomers, ReadCustomers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::CustomerId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveCustomer")
        .tag(super::TAG)
        .summary("Archive a customer")
        .description("It can be restored; its e-mail address is free meanwhile.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "customers:archive", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::customer(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadCustomers, _>(found, super::WHAT);
    let (mut tx, customer) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&customer, expected) {
        return tx.refuse(problem).await;
    }
    let record = customer.record.archived(tx.origin(), &app.clock);
    let customer = Customer { record, ..customer };
    store::update(&mut tx, &customer);
    stoa_eventlog::append(&mut tx, &app.clock, &customer.archived())?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(customer: &Customer, expected: IfMatch) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if customer.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(customer.record.version)
}
