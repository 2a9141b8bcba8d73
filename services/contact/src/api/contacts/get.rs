//! `GET /api/contacts/{id}`

use crate::model::{Contact, SCHEMA};
use crate::{App, ReadContacts, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::ContactId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getContact").tag(super::TAG).summary("Read a contact")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadContacts>,
    State(app): State<App>,
    Path(id): Path<ContactId>,
    known: IfNoneMatch,
) -> Result<Conditional<Contact>, Problem> {
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let contact = store::one(&rows)?.ok_or_else(|| Problem::not_found(super::CONTACT))?;
    Ok(known.answer(contact.record.version, contact))
}
