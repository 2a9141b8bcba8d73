//! `DELETE /api/teams/{id}/members/{userId}`

use super::Place;
use crate::api::teams;
use crate::model::team::TeamWithMembers;
use crate::{App, SERVICE, WriteTeams, error};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};

/// What a 404 says is missing.
const WHAT: &str = "member of the team";

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("removeTeamMember")
        .tag(teams::TAG)
        .summary("Take a user out of a team")
        .description("Answers with the team. 404 when the user is not in it.")
        .response::<200, Versioned<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(Place { id, user_id }): Path<Place>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let body = (id, user_id);
    let command = Command::new(SERVICE, "teams:remove", key, &body, &allowed.scope, &app.clock)?;
    let nobody = BTreeSet::new();
    let locked = match teams::lock(&app, &command, &mut allowed, id, &nobody).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if locked.team.record.is_archived() {
        return locked.tx.refuse(error::team_archived()).await;
    }
    let mut members = locked.members.clone();
    if !members.remove(&user_id) {
        return locked.tx.refuse(Problem::not_found(WHAT)).await;
    }
    let after = locked.team.clone();
    teams::save(&app, &command, locked, after, members).await
}
