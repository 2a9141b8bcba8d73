//! `/api/teams`

mod archive;
mod create;
mod get;
mod list;
mod restore;
mod update;

use crate::model::team::Team;
use crate::{App, ReadTeams, WriteTeams, error, store};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::response::Response;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_contracts::access::WRITE_POLICY;
use stoa_kernel::idempotency::{Answer, Command};
use stoa_kernel::{Allowed, Problem, TenantTx};
use stoa_types::{TeamId, UserId};

/// The heading in the API's documentation.
pub(super) const TAG: &str = "Teams";
/// What a 404 says is missing.
const WHAT: &str = "team";

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/teams",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route(
            "/api/teams/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/teams/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
}

/// Who changes the members of a team. By the scope `team` they see the rows of those who share a team with them, so they
/// may neither join a team nor bring others into one that they are in, unless they write the policy anyway.
pub(super) struct Changer {
    user: Option<UserId>,
    writes_policy: bool,
}

impl Changer {
    pub(super) fn of(allowed: &Allowed<WriteTeams>) -> Self {
        Self {
            user: allowed.scope.user(),
            writes_policy: allowed.caller().decide(WRITE_POLICY, None).allowed,
        }
    }

    /// Refuses (403) members `after`, instead of `before`, that let the caller see more.
    pub(super) fn check(&self, before: &BTreeSet<UserId>, after: &BTreeSet<UserId>) -> Result<(), Problem> {
        let is_in = self.user.is_some_and(|user| after.contains(&user));
        if !self.writes_policy && is_in && !after.is_subset(before) {
            return Err(error::widens_own_view());
        }
        Ok(())
    }
}

/// A locked team that the caller may change.
pub(super) struct Locked<'s> {
    pub(super) tx: TenantTx<'s>,
    pub(super) team: Team,
    pub(super) members: BTreeSet<UserId>,
    /// Which of the users that were asked about are live; they stay so until the end of the transaction.
    pub(super) live: BTreeSet<UserId>,
}

/// Begins a command about a team, archived or not: locks it and holds `users`, in the order in which archiving a user
/// does too.
pub(super) async fn lock<'s>(
    app: &App,
    command: &Command<'_>,
    allowed: &'s mut Allowed<WriteTeams>,
    id: TeamId,
    users: &BTreeSet<UserId>,
) -> Result<ControlFlow<Response, Locked<'s>>, Problem> {
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::hold_live(tx, users);
            store::team::lock(tx, id);
            store::team::members(tx, id);
        })
        .await?;
    let [live, team, members, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let (live, members) = (store::ids(live)?, store::ids(members)?);
    let verdict = allowed.rights.find::<ReadTeams, _>(store::team::one(team)?, WHAT);
    Ok(match begun.judged(verdict).await? {
        ControlFlow::Continue((tx, team)) => ControlFlow::Continue(Locked {
            tx,
            team,
            members,
            live,
        }),
        ControlFlow::Break(answer) => ControlFlow::Break(answer),
    })
}

/// Writes how a locked team is from now on, with its event, and answers with it. What says the same changes nothing.
pub(super) async fn save(
    app: &App,
    command: &Command<'_>,
    locked: Locked<'_>,
    after: Team,
    members: BTreeSet<UserId>,
) -> Result<Response, Problem> {
    let (mut tx, before) = (locked.tx, locked.team);
    let mut team = after;
    if team != before || members != locked.members {
        team.record = before.record.changed(tx.origin(), &app.clock);
        store::team::update(&mut tx, &team);
        store::team::set_members(&mut tx, team.id, &members);
        stoa_eventlog::append(&mut tx, &app.clock, &team.changed(&members))?;
    }
    let answer = Answer::ok(team.record.version, team.with_members(members));
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
