//! `PUT /api/users/me`

use crate::api::users;
use crate::model::{ProfileInput, User};
use crate::{App, SERVICE, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::Problem;
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::http::{IfMatch, Json, Versioned};
use stoa_kernel::idempotency::{Command, IdempotencyKey};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateMyself")
        .tag(users::TAG)
        .summary("Replace what one says of oneself")
        .description(
            "The phone number is emptied when left out; locale and time zone stay. The e-mail address, the handle and \
             the title are changed by who holds `users:update`. What says the same again changes nothing, and the \
             version stays.",
        )
        .response::<200, Versioned<User>>()
}

pub(super) async fn handle(
    mut caller: SignedIn,
    State(app): State<App>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<ProfileInput>,
) -> Result<Response, Problem> {
    let id = super::myself(&caller.scope)?;
    let input = input.checked()?;
    let command = Command::new(SERVICE, "users:me", key, &input, &caller.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut caller.scope, |tx| store::lock(tx, id))
        .await?;
    let found = store::first(&rows)?.ok_or_else(|| Problem::not_found(users::WHAT));
    let (tx, before) = match begun.judged(found).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let after = match proposed(&before, expected, input) {
        Ok(after) => after,
        Err(problem) => return tx.refuse(problem).await,
    };
    users::save(&app, &command, tx, before, after).await
}

fn proposed(before: &User, expected: IfMatch, input: ProfileInput) -> Result<User, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    Ok(before.with_profile(input))
}
