//! `PUT /api/users/{id}`

use crate::model::{User, UserInput};
use crate::{App, ReadUsers, SERVICE, UpdateUsers, email, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::access::Act;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights};
use stoa_types::UserId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateUser")
        .tag(super::TAG)
        .summary("Replace the fields of a user")
        .description(
            "Title and phone are emptied when left out; handle, locale and time zone stay. A new e-mail address becomes \
             the sign-in name once its owner has confirmed it. What says the same again changes nothing, and the \
             version stays. Somebody else's address is changed by who holds everything that they hold, or `iam:write`: \
             403 `iam.exceeds_own_rights` otherwise. 409 `users.email_taken` when somebody else has the address, `users.handle_taken` when \
             another live user has the handle.",
        )
        .response::<200, Versioned<User>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateUsers>,
    State(app): State<App>,
    Path(id): Path<UserId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<UserInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    if input.invite.is_some() {
        return Err(error::field("/invite", "read_only", "is for a new user only"));
    }
    let body = (id, &input);
    let command = Command::new(SERVICE, "users:update", key, &body, &allowed.scope, &app.clock)?;
    // Others are asked outside of the transaction, so what was read is read again afterwards.
    let mut is_granted = false;
    let (tx, before, after) = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| store::lock(tx, id))
            .await?;
        let verdict = allowed
            .rights
            .find::<ReadUsers, _>(store::first(&rows)?, super::WHAT);
        let (tx, before) = match begun.judged(verdict).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        let after = match proposed(&allowed.rights, &before, expected, input.clone()) {
            Ok(after) => after,
            Err(problem) => return tx.refuse(problem).await,
        };
        if is_granted || after.email == before.email {
            break (tx, before, after);
        }
        tx.rollback().await;
        super::check_may_act_for(&app, &mut allowed.scope, id, Act::ChangeSignInName).await?;
        email::check_available(&app, &mut allowed.scope, &after.email, Some(id)).await?;
        is_granted = true;
    };
    super::save(&app, &command, tx, before, after).await
}

/// The user as the client wants it, when it may become so.
fn proposed(
    rights: &Rights<UpdateUsers>,
    before: &User,
    expected: IfMatch,
    input: UserInput,
) -> Result<User, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    let after = before.with(input);
    rights.to_become(&after)?;
    Ok(after)
}
