//! Signing in with e-mail and password. Every refusal looks and takes the same, so that nobody learns who has an
//! account.

use crate::model::{SESSION_LIFETIME, Session, backoff, normalise_email};
use crate::passwords::PasswordError;
use crate::secret;
use crate::state::State;
use crate::store::{self, NewSession};
use sha2::{Digest, Sha256};
use stoa_kernel::{Problem, Scope};
use stoa_types::{TenantId, UserId};
use zeroize::Zeroizing;

/// How an attempt ends.
pub(crate) enum Attempt {
    /// Signed in; the secret goes into the cookie.
    SignedIn(Session, String),
    /// Unknown e-mail or wrong password.
    Refused,
    /// Too many failures; the seconds to wait.
    Blocked(i64),
}

/// Tries to sign in. `current` is the browser's session so far.
///
/// # Errors
/// 503 when too many passwords are being checked, or the database is away.
pub(crate) async fn attempt(
    state: &State,
    scope: &mut Scope,
    email: &str,
    password: Zeroizing<String>,
    current: Option<Session>,
) -> Result<Attempt, Problem> {
    let email = normalise_email(email);
    let email_hash = throttle_key(&email);
    let candidate = store::sign_in_candidate(&state.db.system, scope, &email, &email_hash).await?;
    if let Some(blocked) = blocked(state, &candidate) {
        return Ok(blocked);
    }
    let stored = candidate
        .account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let verified = state.passwords.verify(password, stored).await.map_err(problem)?;
    let now = state.clock.now();
    let Some(account) = candidate.account.filter(|_| verified) else {
        store::record_try(&state.db.system, scope, &email_hash, now, backoff).await?;
        count("refused");
        return Ok(Attempt::Refused);
    };
    // Guesses that ran beside this one may have used up the attempts while the password was checked.
    let again = store::sign_in_candidate(&state.db.system, scope, &email, &email_hash).await?;
    if let Some(blocked) = blocked(state, &again) {
        return Ok(blocked);
    }
    // Or the password was replaced, and everything that it had opened was closed.
    if again
        .account
        .is_none_or(|now| now.password_hash != account.password_hash)
    {
        count("refused");
        return Ok(Attempt::Refused);
    }
    let same = current.filter(|session| session.user == account.user && session.tenant == account.tenant);
    let session = Session {
        tenant: account.tenant,
        id: same.map_or_else(stoa_types::new_id, |session| session.id),
        user: account.user,
        auth_time: now,
    };
    // A new secret at every sign-in: one that somebody planted before is worth nothing (session fixation).
    let cookie = secret::generate().map_err(|e| Problem::internal(&e))?;
    let new = NewSession {
        session,
        token_hash: secret::hash(&cookie),
        expires_at: now.saturating_add(SESSION_LIFETIME).unwrap_or(now),
        replaces: current,
        email_hash: &email_hash,
        password_hash: account.password_hash,
    };
    if !store::start_session(&state.db.system, scope, new).await? {
        count("refused");
        return Ok(Attempt::Refused);
    }
    count("signed_in");
    Ok(Attempt::SignedIn(session, cookie))
}

/// The key under which tries with a normalised e-mail are counted.
#[must_use]
pub(crate) fn throttle_key(email: &str) -> Vec<u8> {
    Sha256::digest(email.as_bytes()).to_vec()
}

/// The key under which requests for a new password are counted.
#[must_use]
pub(crate) fn reset_throttle_key(email: &str) -> Vec<u8> {
    let digest = Sha256::new().chain_update(b"reset ").chain_update(email);
    digest.finalize().to_vec()
}

/// The key under which the addresses are counted that a user tried and others have.
#[must_use]
pub(crate) fn probe_throttle_key(tenant: TenantId, user: UserId) -> Vec<u8> {
    let digest = Sha256::new()
        .chain_update(b"probe ")
        .chain_update(tenant.uuid())
        .chain_update(user.uuid());
    digest.finalize().to_vec()
}

fn blocked(state: &State, candidate: &store::Candidate) -> Option<Attempt> {
    let now = state.clock.now();
    let until = candidate.blocked_until.filter(|until| *until > now)?;
    count("blocked");
    Some(Attempt::Blocked(until.duration_since(now).as_secs().max(1)))
}

/// What a full or failing password pool means to the client.
pub(crate) fn problem(error: PasswordError) -> Problem {
    match error {
        PasswordError::Busy => {
            let mut problem = Problem::unavailable(error.to_string());
            problem.retry_after = Some(2);
            problem
        }
        PasswordError::Failed(_) => Problem::internal(&error),
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("stoa_identity_sign_ins_total", "outcome" => outcome).increment(1);
}
