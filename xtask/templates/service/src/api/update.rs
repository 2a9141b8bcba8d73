//! `PUT /api/__resources__/{id}`

use crate::model::{__Resource__, __Resource__Input};
use crate::{App, Read__Resources__, SERVICE, Update__Resources__, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights};
use stoa_types::__Resource__Id;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("update__Resource__")
        .tag(super::TAG)
        .summary("Replace the fields of __a_resource__")
        .description(
            "A field that is left out is emptied. What says the same again changes nothing, and the version stays. \
             409 `__resources__.name_taken` when another live __resource__ has the name.",
        )
        .response::<200, Versioned<__Resource__>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<Update__Resources__>,
    State(app): State<App>,
    Path(id): Path<__Resource__Id>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<__Resource__Input>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(SERVICE, "__resources__:update", key, &(id, &input), &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::one(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<Read__Resources__, _>(found, super::WHAT);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let after = match proposed(&allowed.rights, &before, expected, input) {
        Ok(after) => after,
        Err(problem) => return tx.refuse(problem).await,
    };
    let changed = before.changed_fields(&after);
    let __resource__ = if changed.is_empty() {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = __Resource__ { record, ..after };
        store::update(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &after.updated(changed))?;
        after
    };
    let answer = Answer::ok(__resource__.record.version, __resource__);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

/// The __resource__ as the client wants it, when it may become so.
fn proposed(
    rights: &Rights<Update__Resources__>,
    before: &__Resource__,
    expected: IfMatch,
    input: __Resource__Input,
) -> Result<__Resource__, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    let after = before.with(input);
    rights.to_become(&after)?;
    Ok(after)
}
