//! `DELETE /api/organizations/{id}`

use crate::model::Organization;
use crate::{App, ArchiveOrganizations, ReadOrganizations, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::ops::ControlFlow;
use stoa_contracts::organization::OrganizationArchived;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::OrganizationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveOrganization")
        .tag(super::TAG)
        .summary("Archive an organisation")
        .description("It can be restored. 409 `organizations.has_branches` while it has live branches.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveOrganizations>,
    State(app): State<App>,
    Path(id): Path<OrganizationId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "organizations:archive",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_organization(tx, id);
            store::has_live_branches(tx, id);
        })
        .await?;
    let [found, has_branches, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let verdict = allowed
        .rights
        .find::<ReadOrganizations, _>(store::organization(found)?, super::WHAT);
    let (mut tx, organization) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&organization, expected, store::is_true(has_branches)?) {
        return tx.refuse(problem).await;
    }
    let record = organization.record.archived(tx.origin(), &app.clock);
    let organization = Organization {
        record,
        ..organization
    };
    store::update_organization(&mut tx, &organization);
    let event = OrganizationArchived {
        organization_id: organization.id,
        version: organization.record.version,
        name: organization.name,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(organization: &Organization, expected: IfMatch, has_branches: bool) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if organization.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(organization.record.version)?;
    if has_branches {
        return Err(error::has_branches(super::WHAT));
    }
    Ok(())
}
