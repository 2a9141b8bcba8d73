//! `PUT /api/teams/{id}/members`

use crate::api::teams;
use crate::model::team::{MembersInput, Team, TeamWithMembers};
use crate::{App, SERVICE, WriteTeams, error};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{TeamId, UserId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("replaceTeamMembers")
        .tag(teams::TAG)
        .summary("Say who is in a team")
        .description(
            "Who is not named leaves it. What says the same again changes nothing, and the version stays. 403 \
             `teams.widens_own_view` when the caller is among the members and others are new, unless they hold \
             `iam:write`.",
        )
        .response::<200, Versioned<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(id): Path<TeamId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<MembersInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let body = (id, &input);
    let command = Command::new(SERVICE, "teams:members", key, &body, &allowed.scope, &app.clock)?;
    let wanted = input.member_ids;
    let changer = teams::Changer::of(&allowed);
    let locked = match teams::lock(&app, &command, &mut allowed, id, &wanted).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let verdict = may_become(&locked.team, expected, &wanted, &locked.live);
    if let Err(problem) = verdict.and_then(|()| changer.check(&locked.members, &wanted)) {
        return locked.tx.refuse(problem).await;
    }
    let after = locked.team.clone();
    teams::save(&app, &command, locked, after, wanted).await
}

fn may_become(
    team: &Team,
    expected: IfMatch,
    wanted: &BTreeSet<UserId>,
    live: &BTreeSet<UserId>,
) -> Result<(), Problem> {
    if team.record.is_archived() {
        return Err(error::team_archived());
    }
    expected.check(team.record.version)?;
    match wanted.difference(live).next() {
        None => Ok(()),
        Some(missing) => {
            let detail = format!("{missing} is no live user");
            Err(error::field("/memberIds", "unknown", &detail))
        }
    }
}
