//! `POST /api/branches/{id}/move`

use crate::model::{Branch, BranchMove, Place, moved_subtree};
use crate::{App, ReadBranches, SERVICE, UpdateBranches, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::BranchMoved;
use stoa_kernel::db::Origin;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Clock, Problem, Rights};
use stoa_types::BranchId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("moveBranch")
        .tag(super::TAG)
        .summary("Move a branch, with everything below it")
        .description(
            "`parentId: null` is the top of the organisation. The permission is asked for on the branch and on the \
             branch above its new place. 422 when the new place is below the branch itself, in another organisation, \
             or deeper than 20 levels.",
        )
        .response::<200, Versioned<Branch>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateBranches>,
    State(app): State<App>,
    Path(id): Path<BranchId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<BranchMove>,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "branches:move",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_tree(tx, id);
            store::lock_subtree(tx, id);
            store::find_branch(tx, input.parent_id);
        })
        .await?;
    let [organization, subtree, parent, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let (organization, parent) = (store::organization(organization)?, store::branch(parent)?);
    let subtree = store::branches(subtree)?;
    // The subtree comes root first.
    let verdict = allowed
        .rights
        .find::<ReadBranches, _>(subtree.first().cloned(), super::WHAT);
    let (mut tx, moved) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_move(&moved, expected) {
        return tx.refuse(problem).await;
    }
    if moved.parent_id == input.parent_id {
        return command
            .commit(tx, Answer::ok(moved.record.version, moved))
            .await
            .map_err(Problem::from);
    }
    let place = Place {
        organization_id: moved.organization_id,
        parent_id: input.parent_id,
    };
    let planned = super::create::above(organization, parent, &place).and_then(|parent| {
        plan(
            &allowed.rights,
            &place,
            &moved,
            &subtree,
            parent,
            tx.origin(),
            &app.clock,
        )
    });
    let (root, after) = match planned {
        Ok(planned) => planned,
        Err(problem) => return tx.refuse(problem).await,
    };
    store::move_subtree(&mut tx, &moved, &root);
    for branch in &after {
        stoa_eventlog::append(&mut tx, &app.clock, &BranchMoved::from(branch.contract()))?;
    }
    let answer = Answer::ok(root.record.version, root);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_move(branch: &Branch, expected: IfMatch) -> Result<(), Problem> {
    if branch.record.is_archived() {
        return Err(error::archived(super::WHAT));
    }
    expected.check(branch.record.version)
}

/// The moved branch, and it with everything below it, as they will be.
fn plan(
    rights: &Rights<UpdateBranches>,
    place: &Place,
    moved: &Branch,
    subtree: &[Branch],
    parent: Option<Branch>,
    origin: &Origin,
    clock: &Clock,
) -> Result<(Branch, Vec<Branch>), Problem> {
    rights.to_become(place)?;
    let after = moved_subtree(moved, subtree, parent.as_ref(), origin, clock)?;
    let root = after.iter().find(|b| b.id == moved.id).cloned();
    let root = root.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok((root, after))
}
