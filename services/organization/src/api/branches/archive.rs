//! `DELETE /api/branches/{id}`

use crate::model::Branch;
use crate::{App, ArchiveBranches, ReadBranches, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_contracts::organization::BranchArchived;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveBranch")
        .tag(super::TAG)
        .summary("Archive a branch")
        .description("It can be restored. 409 `organizations.has_branches` while a live branch is below it.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveBranches>,
    State(app): State<App>,
    Path(id): Path<BranchId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "branches:archive", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_tree(tx, id);
            store::lock_branch(tx, id);
            store::has_live_children(tx, id);
        })
        .await?;
    let [_, found, has_children, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let verdict = allowed
        .rights
        .find::<ReadBranches, _>(store::branch(found)?, super::WHAT);
    let (mut tx, branch) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&branch, expected, store::is_true(has_children)?) {
        return tx.refuse(problem).await;
    }
    let record = branch.record.archived(tx.origin(), &app.clock);
    let branch = Branch { record, ..branch };
    store::update_branch(&mut tx, &branch);
    stoa_eventlog::append(&mut tx, &app.clock, &BranchArchived::from(branch.contract()))?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(branch: &Branch, expected: IfMatch, has_children: bool) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if branch.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(branch.record.version)?;
    if has_children {
        return Err(error::has_branches(super::WHAT));
    }
    Ok(())
}
