//! `POST /api/teams`

use crate::model::team::{Team, TeamInput, TeamWithMembers};
use crate::{App, SERVICE, WriteTeams, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Record};
use stoa_types::TeamId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createTeam")
        .tag(super::TAG)
        .summary("Create a team")
        .description("It has no members yet. 409 `teams.name_taken` when a live team has the name.")
        .response::<201, Created<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<TeamInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(SERVICE, "teams:create", key, &input, &allowed.scope, &app.clock)?;
    let record = Record::new(&allowed.scope.origin(), &app.clock);
    let team = Team::new(TeamId::new(), input, record);
    allowed.rights.to_become(&team)?;
    let mut tx = match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(answer) => return Ok(answer),
    };
    let nobody = BTreeSet::new();
    store::team::insert(&mut tx, &team);
    stoa_eventlog::append(&mut tx, &app.clock, &team.changed(&nobody))?;
    let location = format!("/api/teams/{}", team.id);
    let answer = Answer::created(location, team.record.version, team.with_members(nobody));
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
