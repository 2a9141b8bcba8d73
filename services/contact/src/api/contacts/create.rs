//! `POST /api/contacts`

use crate::model::{Contact, ContactInput};
use crate::{App, CreateContacts, SERVICE, branches, owners, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Record};
use stoa_types::{BranchId, ContactId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createContact")
        .tag(super::TAG)
        .summary("Create a contact")
        .description(
            "Branch and owner default to the caller's; the result must lie within the caller's data scope for \
             `contacts:create` (403).",
        )
        .response::<201, Created<Contact>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateContacts>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<ContactInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "contacts:create",
        key,
        &input,
        &allowed.scope,
        &app.clock,
    )?;
    let contact = proposed(&allowed, input, &app)?;
    allowed.rights.to_become(&contact)?;
    // A first answer is given again whatever has become of the owner since, so that it is asked about only then.
    let mut known_owner = allowed.scope.user();
    let mut tx = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| {
                store::find_branch(tx, Some(contact.branch_id))
            })
            .await?;
        let (tx, ()) = match begun.judged(Ok(())).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        if known_owner != Some(contact.owner_id) {
            tx.rollback().await;
            owners::check(&app, &mut allowed.scope, contact.owner_id).await?;
            known_owner = Some(contact.owner_id);
            continue;
        }
        match store::branch_archived(store::rows_at(&rows, 0)?)?.map(branches::check_live) {
            Some(Ok(())) => break tx,
            Some(Err(problem)) => return tx.refuse(problem).await,
            None => {
                tx.rollback().await;
                branches::learn(&app, &mut allowed.scope, contact.branch_id).await?;
            }
        }
    };
    store::insert(&mut tx, &contact);
    stoa_eventlog::append(&mut tx, &app.clock, &contact.created())?;
    let location = format!("/api/contacts/{}", contact.id);
    let answer = Answer::created(location, contact.record.version, contact);
    Ok(command.commit(tx, answer).await?)
}

/// The contact as it will be, with the caller's branch and the caller where the input names none.
fn proposed(allowed: &Allowed<CreateContacts>, input: ContactInput, app: &App) -> Result<Contact, Problem> {
    let branch = input.branch_id.or(allowed.caller().grants().branch.map(BranchId));
    let owner = input.owner_id.or(allowed.scope.user());
    let (Some(branch), Some(owner)) = (branch, owner) else {
        let (pointer, whose) = if branch.is_none() {
            ("/branchId", "branch")
        } else {
            ("/ownerId", "user")
        };
        let detail = format!("is required, because the caller has no {whose} to take instead");
        return Err(Problem::invalid(vec![FieldError::new(
            pointer, "required", detail,
        )]));
    };
    let record = Record::new(&allowed.scope.origin(), &app.clock);
    Ok(Contact::new(ContactId::new(), input, branch, owner, record))
}
