//! `POST /api/contacts/{id}/restore`

use crate::model::Contact;
use crate::{App, ArchiveContacts, ReadContacts, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::ContactId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreContact")
        .tag(super::TAG)
        .summary("Restore an archived contact")
        .response::<200, Versioned<Contact>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveContacts>,
    State(app): State<App>,
    Path(id): Path<ContactId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "contacts:restore", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::one(store::rows_at(&rows, 0)?)?;
    let verdict = allowed.rights.find::<ReadContacts, _>(found, super::CONTACT);
    let (mut tx, contact) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if !contact.record.is_archived() {
        return tx.refuse(error::not_archived()).await;
    }
    let record = contact.record.restored(tx.origin(), &app.clock);
    let contact = Contact { record, ..contact };
    store::update(&mut tx, &contact);
    stoa_eventlog::append(&mut tx, &app.clock, &contact.restored())?;
    let answer = Answer::ok(contact.record.version, contact);
    Ok(command.commit(tx, answer).await?)
}
