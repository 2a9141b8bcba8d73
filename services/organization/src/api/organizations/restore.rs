//! `POST /api/organizations/{id}/restore`

use crate::model::Organization;
use crate::{App, ArchiveOrganizations, ReadOrganizations, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::OrganizationRestored;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::OrganizationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreOrganization")
        .tag(super::TAG)
        .summary("Restore an archived organisation")
        .description(
            "Its branches stay archived. 409 `organizations.name_taken` when a live organisation has taken its name.",
        )
        .response::<200, Versioned<Organization>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveOrganizations>,
    State(app): State<App>,
    Path(id): Path<OrganizationId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(
        SERVICE,
        "organizations:restore",
        key,
        &id,
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_organization(tx, id))
        .await?;
    let found = store::organization(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadOrganizations, _>(found, super::WHAT);
    let (mut tx, organization) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if !organization.record.is_archived() {
        return tx.refuse(error::not_archived(super::WHAT)).await;
    }
    let record = organization.record.restored(tx.origin(), &app.clock);
    let organization = Organization {
        record,
        ..organization
    };
    store::update_organization(&mut tx, &organization);
    let event = OrganizationRestored {
        organization_id: organization.id,
        name: organization.name.clone(),
        version: organization.record.version,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    let answer = Answer::ok(organization.record.version, organization);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
