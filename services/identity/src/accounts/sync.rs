//! Following the user service: its events say that something changed, and a job asks what.

use super::{Known, follow, store};
use crate::mail;
use crate::state::State;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use stoa_contracts::identity::AccountCreated;
use stoa_contracts::user::{GetUser, UserArchived, UserCard, UserCreated, UserRestored, UserUpdated};
use stoa_eventlog::jobs::{self, JobKind, NewJob, Next, Step, StepError, Worker};
use stoa_eventlog::{Consumer, Delivered, HandlerError};
use stoa_kernel::service::Task;
use stoa_kernel::{DbError, Problem, ServiceContext, TenantTx};
use stoa_types::UserId;

/// The fields of a user that an account holds.
const FOLLOWED: [&str; 3] = ["email", "name", "locale"];

/// Asks the user service for a user and follows it.
pub(crate) struct SyncAccount;

/// The user to ask for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    user: UserId,
    /// Whether the user was to be invited when it was created.
    invite: bool,
}

/// One step suffices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Nothing {}

impl JobKind for SyncAccount {
    const NAME: &'static str = "identity.sync_account";
    type Input = Input;
    type State = Nothing;
}

/// Queues a job for each user that changed. Not by the user's id only: a job that is asking already may have been told
/// the state before.
pub(crate) fn consumer(context: &ServiceContext, state: &State) -> Task {
    let (created, updated, archived, restored) = (state.clone(), state.clone(), state.clone(), state.clone());
    // An account that is not there yet is made archived, since its own job asks for the user as it is by then.
    let archive = move |tx: &mut TenantTx<'_>, event: &UserArchived| {
        store::archive(tx, event.user_id, event.version, archived.clock.now());
    };
    Consumer::new(context, "identity.accounts")
        .on(move |tx, event: &Delivered<UserCreated>| {
            queue(&created, tx, event.data.user_id, event.data.invite)
        })
        .on(move |tx, event: &Delivered<UserUpdated>| {
            let concerns = event
                .data
                .changed
                .iter()
                .any(|field| FOLLOWED.contains(&field.as_str()));
            if concerns {
                queue(&updated, tx, event.data.user_id, false)
            } else {
                Box::pin(async { Ok(()) })
            }
        })
        .on(move |tx, event: &Delivered<UserArchived>| {
            archive(tx, &event.data);
            Box::pin(async { Ok(()) })
        })
        .on(move |tx, event: &Delivered<UserRestored>| queue(&restored, tx, event.data.user_id, false))
        .task()
}

fn queue<'a>(
    state: &State,
    tx: &mut TenantTx<'_>,
    user: UserId,
    invite: bool,
) -> BoxFuture<'a, Result<(), HandlerError>> {
    let job = NewJob::<SyncAccount>::new(Input { user, invite });
    let queued = jobs::enqueue(tx, &state.clock, job);
    Box::pin(async move { Ok(queued.map(|_| ())?) })
}

/// Runs the jobs.
pub(crate) fn worker(context: &ServiceContext, state: &State) -> Task {
    let state = state.clone();
    Worker::new(context, "identity.sync")
        .on::<SyncAccount, _, _>(move |step| run(state.clone(), step))
        .task()
}

async fn run(state: State, mut step: Step<SyncAccount>) -> Result<Next, StepError> {
    let Input { user, invite } = step.input;
    let card = state.mesh.call(&mut step.scope, GetUser { id: user }).await?;
    let taken = !card.archived
        && store::is_email_taken(&state.db.system, &mut step.scope, &card.email, Some(user)).await?;
    let mut tx = state.db.app.begin(&mut step.scope);
    let known = store::lock(&mut tx, user).await?;
    let is_new = known.is_none();
    let Some(plan) = follow(known.as_ref(), &card, invite) else {
        step.ticket
            .finish(&mut tx, &serde_json::json!({ "changed": false }))?;
        return commit(tx).await;
    };
    if taken && plan.takes_email {
        return tx
            .refuse(StepError::Fail(email_taken(&card, known.as_ref())))
            .await;
    }
    let now = state.clock.now();
    if is_new {
        store::insert(&mut tx, user, plan.account, now);
        let created = AccountCreated {
            user_id: user,
            version: 1,
        };
        stoa_eventlog::append(&mut tx, &state.clock, &created)?;
    } else {
        store::update(&mut tx, user, plan.account, now);
    }
    for kind in plan.mails {
        mail::queue(&mut tx, &state, user, kind)?;
    }
    step.ticket
        .finish(&mut tx, &serde_json::json!({ "changed": true }))?;
    commit(tx).await
}

/// An account that appears or takes the address at the same moment is met by the next attempt.
async fn commit(tx: TenantTx<'_>) -> Result<Next, StepError> {
    match tx.commit().await {
        Ok(_) => Ok(Next::Finished),
        Err(error) => Err(retry(error)),
    }
}

fn retry(error: DbError) -> StepError {
    match error.constraint() {
        Some("account_pkey" | "account_email_live") => {
            StepError::Retry("the account changed at the same time".to_owned())
        }
        _ => error.into(),
    }
}

fn email_taken(card: &UserCard, known: Option<&Known>) -> Problem {
    let what = match known {
        None => "has no account and cannot sign in",
        Some(known) if known.is_archived => "stays archived here and cannot sign in",
        Some(_) => "keeps the sign-in name that they had",
    };
    Problem::conflict(
        "identity.email_taken",
        format!(
            "another account signs in with the address of user {}, who {what}; give the user another address",
            card.id
        ),
    )
}
