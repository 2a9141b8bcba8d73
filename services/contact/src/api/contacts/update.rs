//! `PUT /api/contacts/{id}`

use crate::model::{Contact, ContactInput};
use crate::{App, ReadContacts, SERVICE, UpdateContacts, branches, error, owners, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights};
use stoa_types::{BranchId, ContactId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateContact")
        .tag(super::TAG)
        .summary("Replace the fields of a contact")
        .description(
            "A field that is left out is emptied; branch and owner stay. The result must lie within the caller's data \
             scope for `contacts:update` (403). What says the same again changes nothing, and the version stays.",
        )
        .response::<200, Versioned<Contact>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateContacts>,
    State(app): State<App>,
    Path(id): Path<ContactId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<ContactInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "contacts:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let mut known_owner = allowed.scope.user();
    let (mut tx, before, after) = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| {
                store::lock(tx, id);
                store::find_branch(tx, input.branch_id);
            })
            .await?;
        let found = store::one(store::rows_at(&rows, 0)?)?;
        let verdict = allowed.rights.find::<ReadContacts, _>(found, super::CONTACT);
        let (tx, before) = match begun.judged(verdict).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        let known = store::branch_archived(store::rows_at(&rows, 1)?)?;
        match proposed(&allowed.rights, &before, expected, input.clone(), known) {
            Ok(Proposed::To(after))
                if after.owner_id != before.owner_id && known_owner != Some(after.owner_id) =>
            {
                tx.rollback().await;
                owners::check(&app, &mut allowed.scope, after.owner_id).await?;
                known_owner = Some(after.owner_id);
            }
            Ok(Proposed::To(after)) => break (tx, before, *after),
            Ok(Proposed::ToUnknownBranch(branch)) => {
                tx.rollback().await;
                branches::learn(&app, &mut allowed.scope, branch).await?;
            }
            Err(problem) => return tx.refuse(problem).await,
        }
    };
    let changed = before.changed_fields(&after);
    let contact = if changed.is_empty() {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = Contact { record, ..after };
        store::update(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &after.updated(changed))?;
        after
    };
    let answer = Answer::ok(contact.record.version, contact);
    Ok(command.commit(tx, answer).await?)
}

enum Proposed {
    To(Box<Contact>),
    ToUnknownBranch(BranchId),
}

/// The contact as the client wants it, when it may become so. `known` says of the branch that the request names whether
/// it is archived, if it is known here.
fn proposed(
    rights: &Rights<UpdateContacts>,
    before: &Contact,
    expected: IfMatch,
    input: ContactInput,
    known: Option<bool>,
) -> Result<Proposed, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    let after = before.with(input);
    rights.to_become(&after)?;
    if after.branch_id != before.branch_id {
        match known {
            Some(archived) => branches::check_live(archived)?,
            None => return Ok(Proposed::ToUnknownBranch(after.branch_id)),
        }
    }
    Ok(Proposed::To(Box::new(after)))
}
