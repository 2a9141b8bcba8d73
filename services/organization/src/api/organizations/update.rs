//! `PUT /api/organizations/{id}`

use crate::model::{Organization, OrganizationInput};
use crate::{App, ReadOrganizations, SERVICE, UpdateOrganizations, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::OrganizationUpdated;
use stoa_kernel::db::Origin;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Clock, Problem, Rights};
use stoa_types::OrganizationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateOrganization")
        .tag(super::TAG)
        .summary("Rename an organisation or change its status")
        .description("What says the same again changes nothing, and the version stays.")
        .response::<200, Versioned<Organization>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateOrganizations>,
    State(app): State<App>,
    Path(id): Path<OrganizationId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<OrganizationInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "organizations:update",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::lock_organization(tx, id))
        .await?;
    let found = store::organization(rows.first().map_or(&[], |r| r))?;
    let verdict = allowed.rights.find::<ReadOrganizations, _>(found, super::WHAT);
    let (mut tx, before) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let after = match change(&allowed.rights, &before, expected, input, tx.origin(), &app.clock) {
        Ok(after) => after,
        Err(problem) => return tx.refuse(problem).await,
    };
    if let Some(after) = &after {
        store::update_organization(&mut tx, after);
        let event = OrganizationUpdated {
            organization_id: after.id,
            name: after.name.clone(),
            version: after.record.version,
        };
        stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    }
    let organization = after.unwrap_or(before);
    let answer = Answer::ok(organization.record.version, organization);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn change(
    rights: &Rights<UpdateOrganizations>,
    before: &Organization,
    expected: IfMatch,
    input: OrganizationInput,
    origin: &Origin,
    clock: &Clock,
) -> Result<Option<Organization>, Problem> {
    if before.record.is_archived() {
        return Err(error::archived(super::WHAT));
    }
    expected.check(before.record.version)?;
    let after = before.updated(input, origin, clock);
    after.as_ref().map_or(Ok(()), |after| rights.to_become(after))?;
    Ok(after)
}
