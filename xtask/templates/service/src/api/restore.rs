//! `POST /api/__resources__/{id}/restore`

use crate::model::__Resource__;
use crate::{App, Archive__Resources__, Read__Resources__, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::__Resource__Id;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restore__Resource__")
        .tag(super::TAG)
        .summary("Restore an archived __resource__")
        .description("409 `__resources__.name_taken` when a live __resource__ has taken its name.")
        .response::<200, Versioned<__Resource__>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<Archive__Resources__>,
    State(app): State<App>,
    Path(id): Path<__Resource__Id>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "__resources__:restore", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::one(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<Read__Resources__, _>(found, super::WHAT);
    let (mut tx, __resource__) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if !__resource__.record.is_archived() {
        return tx.refuse(error::not_archived()).await;
    }
    let record = __resource__.record.restored(tx.origin(), &app.clock);
    let __resource__ = __Resource__ { record, ..__resource__ };
    store::update(&mut tx, &__resource__);
    stoa_eventlog::append(&mut tx, &app.clock, &__resource__.restored())?;
    let answer = Answer::ok(__resource__.record.version, __resource__);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
