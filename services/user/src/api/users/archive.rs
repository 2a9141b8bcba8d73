//! `DELETE /api/users/{id}`

use crate::model::User;
use crate::model::team::Team;
use crate::{App, ArchiveUsers, ReadUsers, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use stoa_contracts::access::Act;
use stoa_kernel::http::{IfMatch, Path};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, DbError, Problem, TenantTx};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("archiveUser")
        .tag(super::TAG)
        .summary("Archive a user")
        .description(
            "They cannot sign in any more, hold nothing, and leave their teams. They can be restored. 409 `users.oneself` \
             for oneself, `iam.last_administrator` when nobody would be left to administer the tenant. 403 \
             `iam.exceeds_own_rights` when they hold more than the caller, who lacks `iam:write`.",
        )
        .response::<204, ()>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
    expected: IfMatch,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let caller = allowed.scope.user();
    let command = Command::new(SERVICE, "users:archive", key, &id, &allowed.scope, &app.clock)?;
    // The access service is asked outside of the transaction, so what was read is read again afterwards.
    let mut is_granted = false;
    let (mut tx, user, teams) = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| {
                store::lock(tx, id);
                store::team::lock_of_user(tx, id);
            })
            .await?;
        let [user, teams, members, ..] = rows.as_slice() else {
            return Err(store::missing_result().into());
        };
        let verdict = allowed
            .rights
            .find::<ReadUsers, _>(store::one(user)?, super::WHAT);
        let (tx, user) = match begun.judged(verdict).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        if let Err(problem) = may_archive(&user, caller, expected) {
            return tx.refuse(problem).await;
        }
        if is_granted {
            break (tx, user, store::team::of_user(teams, members, id)?);
        }
        tx.rollback().await;
        super::check_may_act_for(&app, &mut allowed.scope, id, Act::Archive).await?;
        is_granted = true;
    };
    leave(&app, &mut tx, id, teams)?;
    let record = user.record.archived(tx.origin(), &app.clock);
    let user = User { record, ..user };
    store::update(&mut tx, &user);
    stoa_eventlog::append(&mut tx, &app.clock, &user.archived())?;
    let answer = Answer::of(StatusCode::NO_CONTENT, ());
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn may_archive(user: &User, caller: Option<UserId>, expected: IfMatch) -> Result<(), Problem> {
    // What is archived is gone: a second DELETE finds nothing.
    if user.record.is_archived() {
        return Err(Problem::not_found(super::WHAT));
    }
    expected.check(user.record.version)?;
    if caller == Some(user.id) {
        return Err(error::oneself());
    }
    Ok(())
}

/// Takes the user out of their teams, which are locked; each tells who is left.
fn leave(
    app: &App,
    tx: &mut TenantTx<'_>,
    id: UserId,
    teams: Vec<(Team, BTreeSet<UserId>)>,
) -> Result<(), DbError> {
    store::team::forget_user(tx, id);
    for (team, mut members) in teams {
        members.remove(&id);
        let record = team.record.changed(tx.origin(), &app.clock);
        let team = Team { record, ..team };
        store::team::update(tx, &team);
        stoa_eventlog::append(tx, &app.clock, &team.changed(&members))?;
    }
    Ok(())
}
