//! `PUT /api/branches/{id}`

use crate::model::{Branch, BranchName};
use crate::{App, ReadBranches, SERVICE, UpdateBranches, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::BranchRenamed;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateBranch")
        .tag(super::TAG)
        .summary("Rename a branch")
        .description("Its place is changed by `POST /api/branches/{id}/move`.")
        .response::<200, Versioned<Branch>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateBranches>,
    State(app): State<App>,
    Path(id): Path<BranchId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<BranchName>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "branches:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_branch(tx, id))
        .await?;
    let found = store::branch(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadBranches, _>(found, super::WHAT);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_rename(&before, expected) {
        return tx.refuse(problem).await;
    }
    let branch = if input.name == before.name {
        before
    } else {
        let record = before.record.changed(tx.origin(), &app.clock);
        let after = Branch {
            name: input.name,
            record,
            ..before
        };
        store::update_branch(&mut tx, &after);
        stoa_eventlog::append(&mut tx, &app.clock, &BranchRenamed::from(after.contract()))?;
        after
    };
    let answer = Answer::ok(branch.record.version, branch);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_rename(branch: &Branch, expected: IfMatch) -> Result<(), Problem> {
    if branch.record.is_archived() {
        return Err(error::archived(super::WHAT));
    }
    expected.check(branch.record.version)
}
