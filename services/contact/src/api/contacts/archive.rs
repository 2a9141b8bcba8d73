//! `DELETE /api/contacts/{id}`

use crate::model::Contact;
use crate::{App, ArchiveContacts, ReadContacts, SERVICE, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::ContactId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveContact")
        .tag(super::TAG)
        .summary("Archive a contact")
        .description("It can be restored; its links and interactions stay.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveContacts>,
    State(app): State<App>,
    Path(id): Path<ContactId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "contacts:archive", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::one(store::rows_at(&rows, 0)?)?;
    let verdict = allowed.rights.find::<ReadContacts, _>(found, super::CONTACT);
    let (mut tx, contact) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&contact, expected) {
        return tx.refuse(problem).await;
    }
    let record = contact.record.archived(tx.origin(), &app.clock);
    let contact = Contact { record, ..contact };
    store::update(&mut tx, &contact);
    stoa_eventlog::append(&mut tx, &app.clock, &contact.archived())?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    Ok(command.commit(tx, answer).await?)
}

fn may_archive(contact: &Contact, expected: IfMatch) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if contact.record.is_archived() {
        return Err(Problem::not_found(super::CONTACT));
    }
    expected.check(contact.record.version)
}
