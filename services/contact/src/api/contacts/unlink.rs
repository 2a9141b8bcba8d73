//! `DELETE /api/contacts/{id}/customers/{customerId}`

use super::LinkPath;
use crate::{App, ReadContacts, SERVICE, UpdateContacts, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_kernel::http::Path;
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("unlinkContact")
        .tag(super::TAG)
        .summary("Remove a contact's link to a customer")
        .description(
            "The caller need not see the customer, so that no contact is tied for ever to one that is out of sight.",
        )
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateContacts>,
    State(app): State<App>,
    Path(path): Path<LinkPath>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let LinkPath { id, customer_id } = path;
    let body = (id, customer_id);
    let command = Command::new(SERVICE, "contacts:unlink", key, &body, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock(tx, id);
            store::find_links(id).defer(tx);
        })
        .await?;
    let found = store::one(store::rows_at(&rows, 0)?)?;
    let verdict = allowed.rights.find::<ReadContacts, _>(found, super::CONTACT);
    let (mut tx, contact) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if contact.record.is_archived() {
        return tx.refuse(error::archived()).await;
    }
    let links = store::links(store::rows_at(&rows, 1)?)?;
    if !links.iter().any(|link| link.customer_id == customer_id) {
        return tx.refuse(Problem::not_found("link")).await;
    }
    store::delete_link(&mut tx, id, customer_id);
    store::clear_primary(&mut tx, id, customer_id);
    stoa_eventlog::append(&mut tx, &app.clock, &contact.unlinked(customer_id))?;
    Ok(command.commit(tx, Answer::of(StatusCode::NO_CONTENT, ())).await?)
}
