//! `POST /api/teams/{id}/members/{userId}`

use super::Place;
use crate::api::{teams, users};
use crate::model::team::{Team, TeamWithMembers};
use crate::{App, SERVICE, WriteTeams, error};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_contracts::user::MAX_TEAM;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("addTeamMember")
        .tag(teams::TAG)
        .summary("Add a user to a team")
        .description(
            "Who is in it already stays; then nothing changes, and the version stays. 409 `teams.full` when it has 500 \
             members. 403 `teams.widens_own_view` when the caller would see more by it, being in the team or joining it, \
             unless they hold `iam:write`.",
        )
        .response::<200, Versioned<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(Place { id, user_id }): Path<Place>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let body = (id, user_id);
    let command = Command::new(SERVICE, "teams:add", key, &body, &allowed.scope, &app.clock)?;
    let changer = teams::Changer::of(&allowed);
    let newcomer = BTreeSet::from([user_id]);
    let locked = match teams::lock(&app, &command, &mut allowed, id, &newcomer).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let mut members = locked.members.clone();
    members.insert(user_id);
    let verdict = may_become(&locked.team, user_id, &locked.live, &members);
    if let Err(problem) = verdict.and_then(|()| changer.check(&locked.members, &members)) {
        return locked.tx.refuse(problem).await;
    }
    let after = locked.team.clone();
    teams::save(&app, &command, locked, after, members).await
}

fn may_become(
    team: &Team,
    newcomer: UserId,
    live: &BTreeSet<UserId>,
    members: &BTreeSet<UserId>,
) -> Result<(), Problem> {
    if team.record.is_archived() {
        return Err(error::team_archived());
    }
    if !live.contains(&newcomer) {
        return Err(Problem::not_found(users::WHAT));
    }
    if members.len() > MAX_TEAM {
        return Err(error::team_full());
    }
    Ok(())
}
