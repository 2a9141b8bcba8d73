//! `PUT /api/interactions/{id}`

use crate::model::{Facts, Interaction, InteractionInput};
use crate::{App, ReadContacts, ReadInteractions, SERVICE, UpdateInteractions, mentions, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights};
use stoa_types::InteractionId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateInteraction")
        .tag(super::TAG)
        .summary("Replace the fields of an interaction")
        .description(
            "A field that is left out is emptied; when it occurred, its author and its branch stay. What is named anew \
             must be there (422), as in `POST`; who is mentioned is looked at again when the body changes. What says the \
             same again changes nothing, and the version stays.",
        )
        .response::<200, Versioned<Interaction>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateInteractions>,
    State(app): State<App>,
    Path(id): Path<InteractionId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<InteractionInput>,
) -> Result<Response, Problem> {
    let input = input.checked(app.clock.now())?;
    let command = Command::new(
        SERVICE,
        "interactions:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let contacts = allowed.rows_of::<ReadContacts>();
    let seen = sight::customer(&app, &mut allowed.scope, input.customer_id).await?;
    let mentions = mentions::of(&app, &mut allowed.scope, &input.body).await?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_interaction(tx, id);
            store::find_contacts(tx, &input.contact_ids, &contacts);
            store::find_customers(tx, &input.contact_ids);
        })
        .await?;
    let found = store::interaction(store::rows_at(&rows, 1)?)?;
    let verdict = allowed
        .rights
        .find::<ReadInteractions, _>(found.clone(), super::INTERACTION);
    let judged = begun.judged(verdict).await;
    if let Some(problem) = judged.as_ref().err().cloned() {
        // It borrows the scope.
        drop(judged);
        let caller = allowed.rights.caller();
        return Err(sight::refusal(&app, caller, &mut allowed.scope, found, problem).await);
    }
    let (mut tx, before) = match judged? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let facts = Facts {
        seen,
        mentions,
        contacts: store::found_contacts(store::rows_at(&rows, 2)?)?,
        linked: store::found_customers(store::rows_at(&rows, 3)?)?,
    };
    let after = match proposed(&allowed.rights, &before, expected, input, facts) {
        Ok(after) => after,
        Err(problem) => return tx.refuse(problem).await,
    };
    let changed = before.changed_fields(&after);
    let interaction = if changed.is_empty() {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = Interaction { record, ..after };
        store::update_interaction(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &after.updated(&before, changed))?;
        after
    };
    let answer = Answer::ok(interaction.record.version, interaction);
    Ok(command.commit(tx, answer).await?)
}

/// The interaction as the client wants it, when it may become so.
fn proposed(
    rights: &Rights<UpdateInteractions>,
    before: &Interaction,
    expected: IfMatch,
    input: InteractionInput,
    facts: Facts,
) -> Result<Interaction, Problem> {
    if before.record.is_archived() {
        return Err(Problem::not_found(super::INTERACTION));
    }
    expected.check(before.record.version)?;
    let after = before.with(input, facts)?;
    rights.to_become(&after)?;
    Ok(after)
}
