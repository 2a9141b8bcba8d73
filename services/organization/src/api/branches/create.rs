//! `POST /api/organizations/{id}/branches`

use crate::model::{Branch, BranchInput, Organization, Place};
use crate::{App, CreateBranches, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::BranchCreated;
use stoa_kernel::http::{Created, Json, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::{BranchId, OrganizationId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createBranch")
        .tag(super::TAG)
        .summary("Create a branch")
        .description(
            "The permission is asked for on the branch above; at the top of an organisation only the data scope `all` \
             suffices. 409 `branches.name_taken` when a live branch beside it has the name.",
        )
        .response::<201, Created<Branch>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateBranches>,
    State(app): State<App>,
    Path(organization_id): Path<OrganizationId>,
    key: IdempotencyKey,
    Json(input): Json<BranchInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let place = Place {
        organization_id,
        parent_id: input.parent_id,
    };
    allowed.rights.to_become(&place)?;
    let command = Command::new(
        SERVICE,
        "branches:create",
        key,
        &(organization_id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_organization(tx, organization_id);
            store::find_branch(tx, place.parent_id);
        })
        .await?;
    let [organization, parent, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let verdict = above(store::organization(organization)?, store::branch(parent)?, &place);
    let (mut tx, parent) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let record = Record::new(tx.origin(), &app.clock);
    let branch = match Branch::new(
        BranchId::new(),
        organization_id,
        parent.as_ref(),
        input.name,
        record,
    ) {
        Ok(branch) => branch,
        Err(problem) => return tx.refuse(problem).await,
    };
    store::insert_branch(&mut tx, &branch);
    stoa_eventlog::append(&mut tx, &app.clock, &BranchCreated::from(branch.contract()))?;
    let answer = Answer::created(
        format!("/api/branches/{}", branch.id),
        branch.record.version,
        branch,
    );
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

/// The branch above a place, which must be live and in the place's organisation; `None` at the top.
pub(crate) fn above(
    organization: Option<Organization>,
    parent: Option<Branch>,
    place: &Place,
) -> Result<Option<Branch>, Problem> {
    let organization = organization.ok_or_else(|| Problem::not_found("organization"))?;
    if organization.record.is_archived() {
        return Err(error::archived("organization"));
    }
    let parent = parent.filter(|p| p.organization_id == place.organization_id && !p.record.is_archived());
    if place.parent_id.is_some() && parent.is_none() {
        return Err(error::no_parent());
    }
    Ok(parent)
}
