//! `POST /api/customers/{id}/tags`

use crate::model::{Customer, TagChange};
use crate::{App, ReadCustomers, SERVICE, UpdateCustomers, changes, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::CustomerId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("tagCustomer")
        .tag(crate::api::TAG)
        .summary("Put tags on a customer and take tags off")
        .description(
            "Needs no `If-Match`: whatever others change meanwhile, their tags stay. What changes nothing leaves the \
             version as it is.",
        )
        .response::<200, Versioned<Customer>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    key: IdempotencyKey,
    Json(change): Json<TagChange>,
) -> Result<Response, Problem> {
    let change = change.checked()?;
    let command = Command::new(
        SERVICE,
        "customers:tag",
        key,
        &(id, &change),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::customer(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadCustomers, _>(found, crate::api::WHAT);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let tags = match tagged(&before, &change) {
        Ok(tags) => tags,
        Err(problem) => return tx.refuse(problem).await,
    };
    let customer = if tags == before.tags {
        before
    } else {
        let after = Customer {
            tags,
            ..before.clone()
        };
        changes::write(&mut tx, &app, &before, after, &[])?
    };
    let answer = Answer::ok(customer.record.version, customer);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn tagged(before: &Customer, change: &TagChange) -> Result<Vec<String>, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    change.of(&before.tags)
}
