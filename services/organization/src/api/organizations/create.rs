//! `POST /api/organizations`

use crate::model::{Organization, OrganizationInput};
use crate::{App, CreateOrganizations, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use stoa_contracts::organization::OrganizationCreated;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::OrganizationId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createOrganization")
        .tag(super::TAG)
        .summary("Create an organisation")
        .description("409 `organizations.name_taken` when a live organisation has the name.")
        .response::<201, Created<Organization>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateOrganizations>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<OrganizationInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "organizations:create",
        key,
        &input,
        &allowed.scope,
        &app.clock,
    )?;
    let mut tx = match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(answer) => return Ok(answer),
    };
    let organization = Organization::new(OrganizationId::new(), input, Record::new(tx.origin(), &app.clock));
    if let Err(problem) = allowed.rights.to_become(&organization) {
        return tx.refuse(problem).await;
    }
    store::insert_organization(&mut tx, &organization);
    let event = OrganizationCreated {
        organization_id: organization.id,
        name: organization.name.clone(),
        version: organization.record.version,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    let location = format!("/api/organizations/{}", organization.id);
    let answer = Answer::created(location, organization.record.version, organization);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
