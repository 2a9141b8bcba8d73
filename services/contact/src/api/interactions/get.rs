//! `GET /api/interactions/{id}`

use crate::model::Interaction;
use crate::{App, ReadInteractions, sight, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::InteractionId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getInteraction")
        .tag(super::TAG)
        .summary("Read an interaction")
        .description(
            "It is seen by those whose grants on interactions reach it, by those whom it mentions, and by those who see a \
             customer that it concerns.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadInteractions>,
    State(app): State<App>,
    Path(id): Path<InteractionId>,
    known: IfNoneMatch,
) -> Result<Conditional<Interaction>, Problem> {
    let mut select = Select::new(store::INTERACTIONS);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let missing = || Problem::not_found(super::INTERACTION);
    let interaction = store::interaction(&rows)?.ok_or_else(missing)?;
    let Allowed { scope, rights } = &mut allowed;
    let granted = rights
        .on::<ReadInteractions>(&interaction, super::INTERACTION)
        .is_ok();
    if !granted && !sight::beyond_grants(&app, rights.caller(), scope, &interaction).await? {
        return Err(missing());
    }
    Ok(known.answer(interaction.record.version, interaction))
}
