//! `DELETE /api/interactions/{id}`

use crate::model::Interaction;
use crate::{App, ArchiveInteractions, ReadInteractions, SERVICE, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::InteractionId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("deleteInteraction")
        .tag(super::TAG)
        .summary("Delete an interaction")
        .description("It is archived: nobody sees it any more, and timelines still say that it was there.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveInteractions>,
    State(app): State<App>,
    Path(id): Path<InteractionId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "interactions:archive",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_interaction(tx, id))
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
    let (mut tx, interaction) = match judged? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_delete(&interaction, expected) {
        return tx.refuse(problem).await;
    }
    let record = interaction.record.archived(tx.origin(), &app.clock);
    let interaction = Interaction {
        record,
        ..interaction
    };
    store::update_interaction(&mut tx, &interaction);
    stoa_eventlog::append(&mut tx, &app.clock, &interaction.deleted())?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    Ok(command.commit(tx, answer).await?)
}

fn may_delete(interaction: &Interaction, expected: IfMatch) -> Result<(), Problem> {
    // What is deleted is gone: a second DELETE finds nothing.
    if interaction.record.is_archived() {
        return Err(Problem::not_found(super::INTERACTION));
    }
    expected.check(interaction.record.version)
}
