//! `POST /api/teams/{id}/restore`

use super::Changer;
use crate::model::team::TeamWithMembers;
use crate::{App, SERVICE, WriteTeams, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::TeamId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreTeam")
        .tag(super::TAG)
        .summary("Restore an archived team")
        .description(
            "With those of its members who were not archived meanwhile. 409 `teams.name_taken` when a live team has \
             taken its name, 403 `teams.widens_own_view` when the caller is one of several members, unless they hold \
             `iam:write`.",
        )
        .response::<200, Versioned<TeamWithMembers>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(id): Path<TeamId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "teams:restore", key, &id, &allowed.scope, &app.clock)?;
    let changer = Changer::of(&allowed);
    let nobody = BTreeSet::new();
    let locked = match super::lock(&app, &command, &mut allowed, id, &nobody).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if !locked.team.record.is_archived() {
        return locked.tx.refuse(error::team_not_archived()).await;
    }
    // Alone in it, one sees nothing new.
    let seen = if locked.members.len() > 1 {
        &nobody
    } else {
        &locked.members
    };
    if let Err(problem) = changer.check(seen, &locked.members) {
        return locked.tx.refuse(problem).await;
    }
    let (mut tx, mut team) = (locked.tx, locked.team);
    team.record = team.record.restored(tx.origin(), &app.clock);
    store::team::update(&mut tx, &team);
    stoa_eventlog::append(&mut tx, &app.clock, &team.changed(&locked.members))?;
    let answer = Answer::ok(team.record.version, team.with_members(locked.members));
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
