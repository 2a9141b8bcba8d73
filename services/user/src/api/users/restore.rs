//! `POST /api/users/{id}/restore`

use crate::model::User;
use crate::{App, ArchiveUsers, ReadUsers, SERVICE, email, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::access::Act;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("restoreUser")
        .tag(super::TAG)
        .summary("Restore an archived user")
        .description(
            "They can sign in again as before; they are in no team. 409 `users.email_taken` or `users.handle_taken` when \
             somebody has taken the address or the handle. 403 `iam.exceeds_own_rights` when they hold more than the \
             caller, who lacks `iam:write`.",
        )
        .response::<200, Versioned<User>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ArchiveUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "users:restore", key, &id, &allowed.scope, &app.clock)?;
    // Others are asked outside of the transaction, so what was read is read again afterwards.
    let mut is_granted = false;
    let (mut tx, user) = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
            .await?;
        let verdict = allowed
            .rights
            .find::<ReadUsers, _>(store::first(&rows)?, super::WHAT);
        let (tx, user) = match begun.judged(verdict).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        if !user.record.is_archived() {
            return tx.refuse(error::not_archived()).await;
        }
        if is_granted {
            break (tx, user);
        }
        tx.rollback().await;
        super::check_may_act_for(&app, &mut allowed.scope, id, Act::Restore).await?;
        email::check_available(&app, &mut allowed.scope, &user.email, Some(id)).await?;
        is_granted = true;
    };
    let record = user.record.restored(tx.origin(), &app.clock);
    let user = User { record, ..user };
    store::update(&mut tx, &user);
    stoa_eventlog::append(&mut tx, &app.clock, &user.restored())?;
    let answer = Answer::ok(user.record.version, user);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}
