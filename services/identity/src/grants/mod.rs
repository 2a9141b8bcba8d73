//! Grants: codes are issued and redeemed once, refresh tokens rotate at every use, what is reused is revoked.

pub(crate) mod store;

use crate::authorization::AuthorizationRequest;
use crate::error::TokenError;
use crate::model::{Grant, Session};
use crate::state::State;
use crate::tokens::{self, TokenResponse};
use crate::{pkce, secret};
use jiff::Timestamp;
use stoa_kernel::{Problem, Scope};
use store::{NewCode, NewRefresh, Revocation};

/// Issues an authorization code for the user of `session`.
///
/// # Errors
/// The database's, or no randomness.
pub(crate) async fn issue_code(
    state: &State,
    scope: &mut Scope,
    request: &AuthorizationRequest,
    session: &Session,
) -> Result<String, Problem> {
    let code = secret::generate().map_err(|e| Problem::internal(&e))?;
    let grant = Grant {
        tenant: session.tenant,
        user: session.user,
        client_id: request.client.id.clone(),
        session: session.id,
        family: stoa_types::new_id(),
        scope: request.scope.clone(),
        auth_time: session.auth_time,
        nonce: request.nonce.clone(),
    };
    let new = NewCode {
        hash: secret::hash(&code),
        grant: &grant,
        redirect_uri: &request.redirect_uri,
        code_challenge: &request.code_challenge,
        now: state.clock.now(),
    };
    store::insert_code(&state.db.system, scope, new).await?;
    Ok(code)
}

/// What a client shows to redeem a code.
pub(crate) struct Redemption<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) code_verifier: Option<&'a str>,
}

/// Redeems a code (RFC 6749, section 4.1.3; RFC 7636, section 4.6). A code that comes twice revokes what was issued
/// for it (RFC 6749, section 4.1.2).
///
/// # Errors
/// `invalid_grant`, or a failure of the server.
pub(crate) async fn redeem(
    state: &State,
    scope: &mut Scope,
    shown: Redemption<'_>,
) -> Result<TokenResponse, TokenError> {
    let hash = secret::hash(shown.code);
    let stored = store::find_code(&state.db.system, scope, &hash)
        .await?
        .ok_or_else(unknown_code)?;
    if stored.used_at.is_some() {
        return Err(replayed(state, scope, &stored.grant).await?);
    }
    if stored.grant.client_id != shown.client_id {
        return Err(unknown_code());
    }
    if stored.expires_at <= state.clock.now() {
        return Err(TokenError::invalid_grant("the code has expired; start again"));
    }
    if shown.redirect_uri != Some(stored.redirect_uri.as_str()) {
        return Err(TokenError::invalid_grant(
            "redirect_uri is not the one of the authorization request",
        ));
    }
    if !shown
        .code_verifier
        .is_some_and(|verifier| pkce::verify(verifier, &stored.code_challenge))
    {
        return Err(TokenError::invalid_grant(
            "code_verifier does not match the code_challenge",
        ));
    }
    // Everything that can fail comes before the code is spent.
    let refresh_token = new_secret()?;
    let answer = tokens::issue(state, scope, &stored.grant, &stored.grant.scope).await?;
    let now = state.clock.now();
    let refresh = new_refresh(state, &refresh_token, now);
    if store::redeem_code(&state.db.system, scope, &hash, refresh, now).await? {
        return Ok(answer.with_refresh_token(refresh_token));
    }
    let again = store::find_code(&state.db.system, scope, &hash).await?;
    if again.is_some_and(|code| code.used_at.is_some()) {
        return Err(replayed(state, scope, &stored.grant).await?);
    }
    Err(TokenError::invalid_grant(
        "the code has expired or the user signed out; start again",
    ))
}

async fn replayed(state: &State, scope: &mut Scope, grant: &Grant) -> Result<TokenError, TokenError> {
    revoke(state, scope, grant, Revocation::CodeReplay).await?;
    Ok(TokenError::invalid_grant(
        "the code was used before; what was issued for it is revoked",
    ))
}

fn unknown_code() -> TokenError {
    TokenError::invalid_grant("the code is not one that this client was given")
}

/// Exchanges a refresh token for new tokens (RFC 6749, section 6). Each use issues a successor; a token that comes
/// again after the grace reveals a theft, and its whole family is revoked (BCP 240, section 4.14.2). Within the grace
/// a second tab of the same browser gets a successor of its own.
///
/// # Errors
/// `invalid_grant`, `invalid_scope`, or a failure of the server.
pub(crate) async fn refresh(
    state: &State,
    scope: &mut Scope,
    client_id: &str,
    token: &str,
    requested_scope: Option<&str>,
) -> Result<TokenResponse, TokenError> {
    let hash = secret::hash(token);
    let stored = store::find_refresh(&state.db.system, scope, &hash)
        .await?
        .filter(|stored| stored.grant.client_id == client_id)
        .ok_or_else(|| {
            TokenError::invalid_grant("the refresh token is not one that this client was given")
        })?;
    if stored.is_revoked || !stored.is_account_active {
        return Err(TokenError::invalid_grant(
            "the refresh token was revoked; sign in again",
        ));
    }
    let now = state.clock.now();
    if stored.used_at.is_some_and(|used| used <= grace_start(state, now)) {
        return Err(reused(state, scope, &stored.grant).await?);
    }
    if stored.expires_at <= now {
        return Err(TokenError::invalid_grant(
            "the refresh token has expired; sign in again",
        ));
    }
    let granted = narrowed(&stored.grant.scope, requested_scope)?;
    let successor = new_secret()?;
    let answer = tokens::issue(state, scope, &stored.grant, &granted).await?;
    let now = state.clock.now();
    let new = new_refresh(state, &successor, now);
    if store::rotate(&state.db.system, scope, &hash, new, now, grace_start(state, now)).await? {
        return Ok(answer.with_refresh_token(successor));
    }
    let again = store::find_refresh(&state.db.system, scope, &hash).await?;
    if again.is_some_and(|token| token.used_at.is_some_and(|used| used <= grace_start(state, now))) {
        return Err(reused(state, scope, &stored.grant).await?);
    }
    Err(TokenError::invalid_grant(
        "the refresh token was revoked meanwhile; sign in again",
    ))
}

async fn reused(state: &State, scope: &mut Scope, grant: &Grant) -> Result<TokenError, TokenError> {
    revoke(state, scope, grant, Revocation::RefreshReuse).await?;
    Ok(TokenError::invalid_grant(
        "the refresh token was used before; all tokens of this sign-in are revoked, sign in again",
    ))
}

/// Revokes a token's family at its client's wish (RFC 7009). An unknown token, or another client's, is left alone.
///
/// # Errors
/// The database's.
pub(crate) async fn revoke_token(
    state: &State,
    scope: &mut Scope,
    client_id: &str,
    token: &str,
) -> Result<(), Problem> {
    if let Some(stored) = store::find_refresh(&state.db.system, scope, &secret::hash(token)).await? {
        if stored.grant.client_id == client_id {
            revoke(state, scope, &stored.grant, Revocation::Client).await?;
        }
        return Ok(());
    }
    let Ok(claims) = state.verify_access_token(token).await? else {
        return Ok(());
    };
    if claims.client_id == client_id {
        let now = state.clock.now();
        let family = claims.gid;
        store::revoke_family(
            &state.db.system,
            scope,
            claims.tenant,
            family,
            now,
            Revocation::Client,
        )
        .await?;
    }
    Ok(())
}

async fn revoke(state: &State, scope: &mut Scope, grant: &Grant, why: Revocation) -> Result<(), Problem> {
    tracing::info!(tenant = %grant.tenant, user = %grant.user, family = %grant.family, ?why, "revoking a token family");
    metrics::counter!("stoa_identity_families_revoked_total", "why" => why.word()).increment(1);
    let now = state.clock.now();
    store::revoke_family(&state.db.system, scope, grant.tenant, grant.family, now, why).await?;
    Ok(())
}

/// The scope of refreshed tokens: what was granted, or less.
fn narrowed(granted: &str, requested: Option<&str>) -> Result<String, TokenError> {
    let Some(requested) = requested else {
        return Ok(granted.to_owned());
    };
    let beyond = |scope: &str| !crate::authorization::has_scope(granted, scope);
    if requested.split_ascii_whitespace().any(beyond) {
        return Err(TokenError::new(
            http::StatusCode::BAD_REQUEST,
            "invalid_scope",
            "scope asks for more than was granted",
        ));
    }
    Ok(crate::authorization::granted_scope(requested))
}

fn grace_start(state: &State, now: Timestamp) -> Timestamp {
    now.saturating_sub(state.refresh_grace).unwrap_or(now)
}

fn new_secret() -> Result<String, TokenError> {
    secret::generate().map_err(|e| TokenError::from(Problem::internal(&e)))
}

fn new_refresh(state: &State, token: &str, now: Timestamp) -> NewRefresh {
    NewRefresh {
        hash: secret::hash(token),
        expires_at: now.saturating_add(state.refresh_lifetime).unwrap_or(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshed_scope_never_widens() {
        let scope = |requested| narrowed("openid email", requested).map_err(|e| e.error);
        assert_eq!(scope(None), Ok("openid email".to_owned()));
        assert_eq!(scope(Some("email")), Ok("email".to_owned()));
        assert_eq!(scope(Some("email profile")), Err("invalid_scope"));
    }
}
