//! `POST /api/users`

use crate::model::{User, UserInput, handle};
use crate::{App, CreateUsers, SERVICE, email, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Allowed, DbError, Problem, Record};
use stoa_types::UserId;

/// How often a handle that is made here may be taken by another request at the same moment.
const ATTEMPTS: usize = 5;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createUser")
        .tag(super::TAG)
        .summary("Create a user")
        .description(
            "They can sign in once they have followed the invitation, and hold no role yet: `POST /api/users/{id}/roles` \
             gives one. 409 `users.email_taken` when somebody has the e-mail address, `users.handle_taken` when a live \
             user has the handle.",
        )
        .response::<201, Created<User>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateUsers>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<UserInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(SERVICE, "users:create", key, &input, &allowed.scope, &app.clock)?;
    let record = Record::new(&allowed.scope.origin(), &app.clock);
    let new = New {
        id: UserId::new(),
        input,
        record,
    };
    allowed.rights.to_become(&new.user(String::new()))?;
    // A repeated request is answered before identity is asked: by then the address is the user's own.
    match command.begin(&app.db, &mut allowed.scope).await? {
        Begun::Fresh(tx) => tx.rollback().await,
        Begun::Replay(answer) => return Ok(answer),
    }
    email::check_available(&app, &mut allowed.scope, &new.input.email, None).await?;
    for _ in 0..ATTEMPTS {
        match insert(&app, &command, &mut allowed, &new).await? {
            Ok(answer) => return Ok(answer),
            Err(error) if new.input.handle.is_none() && error::is_handle_taken(&error) => {}
            Err(error) => return Err(error::of_constraint(error)),
        }
    }
    Err(Problem::conflict(
        "request.contention",
        "other users with this name were created at the same moment; try again",
    ))
}

/// A user to create, but for the handle, which depends on those that are taken.
struct New {
    id: UserId,
    input: UserInput,
    record: Record,
}

impl New {
    fn user(&self, handle: String) -> User {
        User::new(self.id, self.input.clone(), handle, self.record.clone())
    }
}

/// Adds the user with a handle that is free at that moment.
async fn insert(
    app: &App,
    command: &Command<'_>,
    allowed: &mut Allowed<CreateUsers>,
    new: &New,
) -> Result<Result<Response, DbError>, Problem> {
    let candidates = handle::candidates(&new.input.email);
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::taken_handles(tx, candidates.clone());
        })
        .await?;
    let mut tx = match begun.judged(Ok(())).await? {
        ControlFlow::Continue((tx, ())) => tx,
        ControlFlow::Break(answer) => return Ok(Ok(answer)),
    };
    let user = new.user(handle::choose(&candidates, &store::texts(&rows)?, new.id));
    store::insert(&mut tx, &user);
    store::words(&mut tx, &user);
    let invite = new.input.invite.unwrap_or(true);
    stoa_eventlog::append(&mut tx, &app.clock, &user.created(invite))?;
    let location = format!("/api/users/{}", user.id);
    let answer = Answer::created(location, user.record.version, user);
    Ok(command.commit(tx, answer).await)
}
