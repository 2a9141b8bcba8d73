//! `GET /api/teams/{id}`

use crate::model::team::{SCHEMA, TeamWithMembers};
use crate::{App, ReadTeams, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::TeamId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getTeam")
        .tag(super::TAG)
        .summary("Read a team with its members' ids")
        .description("`GET /api/users?teamId=` lists the members themselves.")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadTeams>,
    State(app): State<App>,
    Path(id): Path<TeamId>,
    known: IfNoneMatch,
) -> Result<Conditional<TeamWithMembers>, Problem> {
    let mut select = Select::new(store::team::LIVE);
    let param = select.param(id.uuid());
    select.and(&format!("id = {param}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let mut tx = app.db.begin(&mut allowed.scope);
    select.defer(&mut tx);
    store::team::members(&mut tx, id);
    let rows = tx.commit().await?;
    let (team, members) = store::team::with_members(&rows)?.ok_or_else(|| Problem::not_found(super::WHAT))?;
    Ok(known.answer(team.record.version, team.with_members(members)))
}
