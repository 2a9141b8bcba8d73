//! `POST /api/branches/{id}/restore`

use crate::model::{Branch, Organization};
use crate::{App, ArchiveBranches, ReadBranches, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::BranchRestored;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreBranch")
        .tag(super::TAG)
        .summary("Restore an archived branch")
        .description(
            "409 when its organisation or the branch above is archived, or when a live branch beside it has taken its \
             name.",
        )
        .response::<200, Versioned<Branch>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveBranches>,
    State(app): State<App>,
    Path(id): Path<BranchId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "branches:restore", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_tree(tx, id);
            store::lock_branch(tx, id);
            store::find_parent(tx, id);
        })
        .await?;
    let [organization, found, parent, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let (organization, parent) = (store::organization(organization)?, store::branch(parent)?);
    let verdict = allowed
        .rights
        .find::<ReadBranches, _>(store::branch(found)?, super::WHAT);
    let (mut tx, branch) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_restore(&branch, organization.as_ref(), parent.as_ref()) {
        return tx.refuse(problem).await;
    }
    let record = branch.record.restored(tx.origin(), &app.clock);
    let branch = Branch { record, ..branch };
    store::update_branch(&mut tx, &branch);
    stoa_eventlog::append(&mut tx, &app.clock, &BranchRestored::from(branch.contract()))?;
    let answer = Answer::ok(branch.record.version, branch);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_restore(
    branch: &Branch,
    organization: Option<&Organization>,
    parent: Option<&Branch>,
) -> Result<(), Problem> {
    if !branch.record.is_archived() {
        return Err(error::not_archived(super::WHAT));
    }
    if organization.is_none_or(|o| o.record.is_archived()) {
        return Err(error::archived("organization"));
    }
    if parent.is_some_and(|p| p.record.is_archived()) {
        return Err(error::archived("branch above"));
    }
    Ok(())
}
