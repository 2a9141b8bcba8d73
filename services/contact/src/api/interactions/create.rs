//! `POST /api/interactions`

use crate::model::{Facts, Interaction, InteractionInput};
use crate::{App, CreateInteractions, ReadContacts, SERVICE, mentions, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("logInteraction")
        .tag(super::TAG)
        .summary("Log a call, a meeting, an e-mail or a note")
        .description(
            "The caller becomes its author. It must name a customer, a contact or both, and the caller must see them \
             (422). `@handle` in the body mentions a user; an unknown handle stays text. It is on the timeline of the \
             named customer, or else of the contacts' customers.",
        )
        .response::<201, Created<Interaction>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateInteractions>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<InteractionInput>,
) -> Result<Response, Problem> {
    let input = input.checked(app.clock.now())?;
    let command = Command::new(
        SERVICE,
        "interactions:create",
        key,
        &input,
        &allowed.scope,
        &app.clock,
    )?;
    let author = allowed
        .scope
        .user()
        .ok_or_else(|| Problem::forbidden("only users log interactions"))?;
    let branch = allowed.caller().grants().branch.map(BranchId);
    let contacts = allowed.rows_of::<ReadContacts>();
    let seen = sight::customer(&app, &mut allowed.scope, input.customer_id).await?;
    let mentions = mentions::of(&app, &mut allowed.scope, &input.body).await?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::find_contacts(tx, &input.contact_ids, &contacts);
            store::find_customers(tx, &input.contact_ids);
        })
        .await?;
    let (mut tx, ()) = match begun.judged(Ok(())).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let facts = Facts {
        seen,
        mentions,
        contacts: store::found_contacts(store::rows_at(&rows, 0)?)?,
        linked: store::found_customers(store::rows_at(&rows, 1)?)?,
    };
    let record = Record::new(tx.origin(), &app.clock);
    let proposed = Interaction::new(input, facts, author, branch, record);
    let interaction = match proposed.and_then(|i| allowed.rights.to_become(&i).map(|()| i)) {
        Ok(interaction) => interaction,
        Err(problem) => return tx.refuse(problem).await,
    };
    store::insert_interaction(&mut tx, &interaction);
    stoa_eventlog::append(&mut tx, &app.clock, &interaction.logged())?;
    let location = format!("/api/interactions/{}", interaction.id);
    let answer = Answer::created(location, interaction.record.version, interaction);
    Ok(command.commit(tx, answer).await?)
}
