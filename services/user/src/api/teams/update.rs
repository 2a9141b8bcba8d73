//! `PUT /api/teams/{id}`

use crate::model::team::{Team, TeamInput, TeamWithMembers};
use crate::{App, SERVICE, WriteTeams, error};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::TeamId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateTeam")
        .tag(super::TAG)
        .summary("Replace the fields of a team")
        .description(
            "The members stay. What says the same again changes nothing, and the version stays. 409 `teams.name_taken` \
             when another live team has the name.",
        )
        .response::<200, Versioned<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(id): Path<TeamId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<TeamInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let body = (id, &input);
    let command = Command::new(SERVICE, "teams:update", key, &body, &allowed.scope, &app.clock)?;
    let nobody = BTreeSet::new();
    let locked = match super::lock(&app, &command, &mut allowed, id, &nobody).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_change(&locked.team, expected) {
        return locked.tx.refuse(problem).await;
    }
    let (after, members) = (locked.team.with(input), locked.members.clone());
    super::save(&app, &command, locked, after, members).await
}

fn may_change(team: &Team, expected: IfMatch) -> Result<(), Problem> {
    if team.record.is_archived() {
        return Err(error::team_archived());
    }
    expected.check(team.record.version)
}
