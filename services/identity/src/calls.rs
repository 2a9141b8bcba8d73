//! The calls that other services make.

use crate::accounts::store::{self as accounts, NewAccount};
use crate::model::{backoff, check_account, normalise_email};
use crate::sign_in;
use crate::state::State;
use crate::{grants, store, verify};
use http::StatusCode;
use stoa_contracts::Done;
use stoa_contracts::identity::{
    AccountCreated, CheckEmail, CreateUser, EmailAvailability, LoadVerificationKeys, TokenStatus,
    ValidateToken, VerificationKeys,
};
use stoa_kernel::mesh::Calls;
use stoa_kernel::{Problem, Scope};
use zeroize::Zeroizing;

/// The handlers.
#[must_use]
pub(crate) fn calls(state: &State) -> Calls {
    let (keys, validate, create, check) = (state.clone(), state.clone(), state.clone(), state.clone());
    Calls::new()
        .on(move |_: Scope, _: LoadVerificationKeys| load_verification_keys(keys.clone()))
        .on(move |scope, call: ValidateToken| validate_token(validate.clone(), scope, call))
        .on(move |scope, call: CreateUser| create_user(create.clone(), scope, call))
        .on(move |scope, call: CheckEmail| check_email(check.clone(), scope, call))
}

async fn load_verification_keys(state: State) -> Result<VerificationKeys, Problem> {
    let keys = state.keys.current().await?;
    Ok(VerificationKeys {
        issuer: state.issuer.clone(),
        jwks: keys.jwks.clone(),
    })
}

async fn validate_token(state: State, mut scope: Scope, call: ValidateToken) -> Result<TokenStatus, Problem> {
    let inactive = |reason: String| TokenStatus {
        reason: Some(reason),
        ..TokenStatus::default()
    };
    let keys = state.keys.current().await?;
    let now = state.clock.now().as_second();
    let claims = match verify::access_token(&call.token, &keys, &state.issuer, &state.audience, now) {
        Ok(claims) => claims,
        Err(fault) => return Ok(inactive(fault.to_string())),
    };
    let live = grants::store::is_family_live(&state.db.system, &mut scope, claims.tenant, claims.gid).await?;
    if !live {
        return Ok(inactive("the token was revoked".to_owned()));
    }
    Ok(TokenStatus {
        active: true,
        subject: Some(claims.sub),
        tenant: Some(claims.tenant),
        expires_at: Some(claims.exp),
        reason: None,
    })
}

async fn create_user(state: State, mut scope: Scope, call: CreateUser) -> Result<Done, Problem> {
    let CreateUser {
        id,
        email,
        name,
        password,
    } = call;
    let password = Zeroizing::new(password);
    scope.require_platform()?;
    if scope.tenant().uuid().is_nil() {
        return Err(Problem::bad_request(
            "identity.tenant_required",
            "an account belongs to a tenant",
        ));
    }
    let email = normalise_email(&email);
    check_account(&email, &name, &password).map_err(Problem::invalid)?;
    let mut tx = state.db.app.begin(&mut scope);
    let has_password = accounts::has_password(&mut tx, id).await?;
    tx.rollback().await;
    match has_password {
        Some(true) => return Ok(Done {}),
        None if accounts::is_email_taken(&state.db.system, &mut scope, &email, Some(id)).await? => {
            return Err(email_taken());
        }
        _ => {}
    }
    // Before the transaction: a hash takes its time, and no connection waits for it.
    let password_hash = state.passwords.hash(password).await.map_err(sign_in::problem)?;
    let new = NewAccount {
        id,
        email,
        name: name.trim().to_owned(),
        password_hash,
        now: state.clock.now(),
    };
    if has_password.is_none() && insert(&state, &mut scope, new.clone()).await? {
        return Ok(Done {});
    }
    let mut tx = state.db.app.begin(&mut scope);
    accounts::give_password(&mut tx, new);
    tx.commit().await?;
    Ok(Done {})
}

/// False when there is such an account by now: the same call at the same time, or its user's events.
async fn insert(state: &State, scope: &mut Scope, new: NewAccount) -> Result<bool, Problem> {
    let created = AccountCreated {
        user_id: new.id,
        version: 1,
    };
    let mut tx = state.db.app.begin(scope);
    accounts::insert_with_password(&mut tx, new);
    stoa_eventlog::append(&mut tx, &state.clock, &created)?;
    match tx.commit().await {
        Ok(_) => Ok(true),
        Err(error) => match error.constraint() {
            Some("account_pkey") => Ok(false),
            Some("account_email_live") => Err(email_taken()),
            _ => Err(error.into()),
        },
    }
}

/// Whoever may create users may learn this, for some addresses: they are other tenants' too, so a user who meets many
/// that are taken has to wait, as somebody who guesses passwords. The answer to a sign-in never tells it.
async fn check_email(state: State, mut scope: Scope, call: CheckEmail) -> Result<EmailAvailability, Problem> {
    if scope.tenant().uuid().is_nil() {
        return Err(Problem::bad_request(
            "identity.tenant_required",
            "a user belongs to a tenant",
        ));
    }
    let email = normalise_email(&call.email);
    let key = scope
        .user()
        .map(|user| sign_in::probe_throttle_key(scope.tenant(), user));
    let now = state.clock.now();
    if let Some(key) = &key {
        let blocked = store::blocked_until(&state.db.system, &mut scope, key).await?;
        if let Some(until) = blocked.filter(|until| *until > now) {
            return Err(too_many_checks(until.duration_since(now).as_secs().max(1)));
        }
    }
    let taken = accounts::is_email_taken(&state.db.system, &mut scope, &email, call.user).await?;
    if let Some(key) = key.filter(|_| taken) {
        store::record_try(&state.db.system, &mut scope, &key, now, backoff).await?;
    }
    Ok(EmailAvailability { available: !taken })
}

/// The refusal of somebody who has found too many addresses that others have.
fn too_many_checks(seconds: i64) -> Problem {
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "identity.too_many_checks",
        "Too many tries",
        format!(
            "too many of the addresses that you tried are somebody else's; try again in {seconds} seconds"
        ),
    );
    problem.retry_after = u64::try_from(seconds).ok();
    problem
}

fn email_taken() -> Problem {
    Problem::conflict(
        "identity.email_taken",
        "another account has this e-mail; use another one",
    )
}
