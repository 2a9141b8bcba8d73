//! Access and ID tokens: their claims.

use crate::authorization::has_scope;
use crate::error::TokenError;
use crate::model::Grant;
use crate::state::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stoa_contracts::access::{DescribeSubject, SubjectDescription};
use stoa_kernel::{Problem, Scope, SystemScope};

/// Asks the access service what a user holds, for the claims of a token.
pub(crate) const DESCRIBE: SystemScope = SystemScope::named("identity.describe");

/// A successful answer of the token endpoint (RFC 6749, section 5.1; OpenID Connect Core, section 3.1.3.3).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenResponse {
    /// The access token: a JWT (RFC 9068).
    pub access_token: String,
    /// `Bearer`
    pub token_type: String,
    /// The access token's lifetime in seconds.
    pub expires_in: i64,
    /// Good for one use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// With the scope `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// The granted scopes, blank-separated.
    pub scope: String,
}

impl TokenResponse {
    /// Adds the refresh token.
    #[must_use]
    pub(crate) fn with_refresh_token(mut self, token: String) -> Self {
        self.refresh_token = Some(token);
        self
    }
}

/// Signs the tokens of `grant`, with `granted` as their scope. Changes nothing.
///
/// # Errors
/// When the access service or the signing key is not available.
pub(crate) async fn issue(
    state: &State,
    scope: &Scope,
    grant: &Grant,
    granted: &str,
) -> Result<TokenResponse, TokenError> {
    let mut in_tenant = DESCRIBE.scope(
        grant.tenant,
        scope
            .deadline()
            .saturating_duration_since(tokio::time::Instant::now()),
    );
    let call = DescribeSubject { user: grant.user };
    let subject = state
        .mesh
        .call(&mut in_tenant, call)
        .await
        .map_err(Problem::from)?;
    let now = state.clock.now().as_second();
    let claims = access_claims(state, grant, granted, &subject, now);
    let access_token = state.keys.sign("at+jwt", claims).await.map_err(Problem::from)?;
    let mut id_token = None;
    if has_scope(granted, "openid") {
        let claims = id_claims(state, grant, &access_token, now);
        id_token = Some(state.keys.sign("JWT", claims).await.map_err(Problem::from)?);
    }
    metrics::counter!("stoa_identity_tokens_issued_total").increment(1);
    Ok(TokenResponse {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: state.access_lifetime.as_secs(),
        refresh_token: None,
        id_token,
        scope: granted.to_owned(),
    })
}

/// The claims of RFC 9068, section 2.2, and Stoa's own hints for clients: no decision is taken from those.
fn access_claims(
    state: &State,
    grant: &Grant,
    granted: &str,
    subject: &SubjectDescription,
    now: i64,
) -> Value {
    let mut claims = json!({
        "iss": state.issuer,
        "aud": state.audience,
        "sub": grant.user,
        "client_id": grant.client_id,
        "jti": stoa_types::new_id(),
        "iat": now,
        "exp": now.saturating_add(state.access_lifetime.as_secs()),
        "auth_time": grant.auth_time.as_second(),
        "scope": granted,
        "sid": grant.session,
        "gid": grant.family,
        "tenantId": grant.tenant,
        "roles": subject.roles,
        "dataScope": subject.data_scope,
        "plan": subject.plan,
    });
    set(&mut claims, "branchId", subject.branch_id.map(|id| json!(id)));
    claims
}

/// The claims of OpenID Connect Core, sections 2 and 3.1.3.6.
fn id_claims(state: &State, grant: &Grant, access_token: &str, now: i64) -> Value {
    let mut claims = json!({
        "iss": state.issuer,
        "aud": grant.client_id,
        "sub": grant.user,
        "iat": now,
        "exp": now.saturating_add(state.access_lifetime.as_secs()),
        "auth_time": grant.auth_time.as_second(),
        "at_hash": half_hash(access_token),
        "sid": grant.session,
        "tenantId": grant.tenant,
    });
    set(
        &mut claims,
        "nonce",
        grant.nonce.as_ref().map(|nonce| json!(nonce)),
    );
    claims
}

fn set(claims: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (claims.as_object_mut(), value) {
        map.insert(name.to_owned(), value);
    }
}

/// `at_hash`: the left half of the token's SHA-256, in base64url (OpenID Connect Core, section 3.1.3.6).
fn half_hash(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    let (left, _) = digest.split_at(digest.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_hash_is_that_of_openid_connect_core_a_3() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
