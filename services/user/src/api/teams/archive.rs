//! `DELETE /api/teams/{id}`

use crate::model::team::Team;
use crate::{App, SERVICE, WriteTeams, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::TeamId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveTeam")
        .tag(super::TAG)
        .summary("Archive a team")
        .description("It can be restored with its members; its name is free meanwhile.")
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<WriteTeams>,
    State(app): State<App>,
    Path(id): Path<TeamId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "teams:archive", key, &id, &allowed.scope, &app.clock)?;
    let nobody = BTreeSet::new();
    let locked = match super::lock(&app, &command, &mut allowed, id, &nobody).await? {
        ControlFlow::Continue(locked) => locked,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    if let Err(problem) = may_archive(&locked.team, expected) {
        return locked.tx.refuse(problem).await;
    }
    let (mut tx, mut team) = (locked.tx, locked.team);
    team.record = team.record.archived(tx.origin(), &app.clock);
    store::team::update(&mut tx, &team);
    stoa_eventlog::append(&mut tx, &app.clock, &team.changed(&locked.members))?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(team: &Team, expected: IfMatch) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if team.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(team.record.version)
}
