//! `DELETE /api/__resources__/{id}`

use crate::model::__Resource__;
use crate::{App, Archive__Resources__, Read__Resources__, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::__Resource__Id;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archive__Resource__")
        .tag(super::TAG)
        .summary("Archive __a_resource__")
        .description("It can be restored; its name is free meanwhile.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<Archive__Resources__>,
    State(app): State<App>,
    Path(id): Path<__Resource__Id>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "__resources__:archive", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::one(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<Read__Resources__, _>(found, super::WHAT);
    let (mut tx, __resource__) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&__resource__, expected) {
        return tx.refuse(problem).await;
    }
    let record = __resource__.record.archived(tx.origin(), &app.clock);
    let __resource__ = __Resource__ { record, ..__resource__ };
    store::update(&mut tx, &__resource__);
    stoa_eventlog::append(&mut tx, &app.clock, &__resource__.archived())?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(__resource__: &__Resource__, expected: IfMatch) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if __resource__.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(__resource__.record.version)
}
