//! Verifies our own tokens. Strict: one algorithm, a known key, the right type, issuer, audience and times.

use crate::keys::KeySet;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

/// How far the clocks of two machines may differ, in seconds.
const LEEWAY: i64 = 30;

/// What an access token says (RFC 9068, section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The user's tenant.
    #[serde(rename = "tenantId")]
    pub tenant: TenantId,
    /// The client that it was issued to.
    pub client_id: String,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
    /// Not before, in seconds since 1970.
    #[serde(default)]
    pub nbf: Option<i64>,
    /// The authorization that it was issued from; revoking that ends the token.
    pub gid: Uuid,
}

/// What counts of an ID token that a client shows again as a hint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct HintClaims {
    /// The issuer.
    pub iss: String,
    /// The client.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The user's tenant.
    #[serde(rename = "tenantId")]
    pub tenant: TenantId,
    /// The session that it was issued in.
    pub sid: Uuid,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    /// Not three parts of base64url JSON, or with an extension that must be understood.
    #[error("the token is not a JWT of this issuer")]
    Malformed,
    /// Not RS256: `none` and the symmetric algorithms above all (RFC 8725, section 3.1).
    #[error("the token is not signed with RS256")]
    Algorithm,
    /// An ID token where an access token is meant, or the other way round (RFC 8725, section 3.11).
    #[error("the token has the wrong type")]
    Type,
    /// No such key.
    #[error("the token was signed with an unknown key")]
    Key,
    /// The signature is wrong.
    #[error("the signature of the token is wrong")]
    Signature,
    /// Issued by someone else.
    #[error("the token has another issuer")]
    Issuer,
    /// Meant for someone else.
    #[error("the token is meant for another audience")]
    Audience,
    /// Too old.
    #[error("the token has expired")]
    Expired,
    /// Too new.
    #[error("the token is not valid yet")]
    NotYet,
}

/// Checks an access token; `now` is in seconds since 1970.
///
/// # Errors
/// [`TokenFault`]
pub(crate) fn access_token(
    token: &str,
    keys: &KeySet,
    issuer: &str,
    audience: &str,
    now: i64,
) -> Result<AccessClaims, TokenFault> {
    let claims: AccessClaims = signed(token, keys, is_access_type)?;
    if claims.iss != issuer {
        return Err(TokenFault::Issuer);
    }
    if claims.aud != audience {
        return Err(TokenFault::Audience);
    }
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(TokenFault::Expired);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY)) {
        return Err(TokenFault::NotYet);
    }
    Ok(claims)
}

/// Checks an `id_token_hint`: ours, whatever its age (OpenID Connect RP-Initiated Logout 1.0, section 4).
///
/// # Errors
/// [`TokenFault`]
pub(crate) fn id_token_hint(token: &str, keys: &KeySet, issuer: &str) -> Result<HintClaims, TokenFault> {
    let claims: HintClaims = signed(token, keys, |typ| typ.eq_ignore_ascii_case("jwt"))?;
    if claims.iss != issuer {
        return Err(TokenFault::Issuer);
    }
    Ok(claims)
}

fn is_access_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

fn signed<T: DeserializeOwned>(
    token: &str,
    keys: &KeySet,
    is_type: impl Fn(&str) -> bool,
) -> Result<T, TokenFault> {
    // `none` is no algorithm to the parser, so it ends here.
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
    if header.alg != Algorithm::RS256 {
        return Err(TokenFault::Algorithm);
    }
    if !header.typ.as_deref().is_some_and(is_type) {
        return Err(TokenFault::Type);
    }
    let key = header
        .kid
        .and_then(|kid| keys.verifying.get(&kid))
        .ok_or(TokenFault::Key)?;
    // Claims are compared by our callers, by the injected clock.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = jsonwebtoken::decode::<T>(token, key, &validation).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenFault::Signature,
        _ => TokenFault::Malformed,
    })?;
    Ok(decoded.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningPair;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://id.example";
    const AUDIENCE: &str = "https://id.example/stoa-api";

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": Uuid::nil(), "tenantId": Uuid::nil(), "client_id": "c",
            "exp": 1000, "iat": 700, "gid": Uuid::nil(), "sid": Uuid::nil(),
        })
    }

    fn check(keys: &KeySet, token: &str, now: i64) -> Result<AccessClaims, TokenFault> {
        access_token(token, keys, ISSUER, AUDIENCE, now)
    }

    fn with(key: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[key] = value;
        claims
    }

    // covers: ID-02
    #[test]
    fn only_our_own_unexpired_tokens_pass() {
        let keys = KeySet::of(SigningPair::generate().unwrap());
        let sign = |typ, claims: &Value| keys.signing.sign(typ, claims).unwrap();
        let good = sign("at+jwt", &claims());
        assert!(check(&keys, &good, 900).is_ok());
        assert!(check(&keys, &good, 1029).is_ok(), "within the leeway");
        assert_eq!(check(&keys, &good, 1030), Err(TokenFault::Expired));
        assert_eq!(check(&keys, &sign("JWT", &claims()), 900), Err(TokenFault::Type));
        for (key, value, fault) in [
            ("iss", json!("https://evil.example"), TokenFault::Issuer),
            ("aud", json!("c"), TokenFault::Audience),
            ("nbf", json!(931), TokenFault::NotYet),
        ] {
            let token = sign("at+jwt", &with(key, value));
            assert_eq!(check(&keys, &token, 900), Err(fault), "{key}");
        }
        let other = SigningPair::generate().unwrap();
        let foreign = other.sign("at+jwt", &claims()).unwrap();
        assert_eq!(check(&keys, &foreign, 900), Err(TokenFault::Key));
    }

    // covers: ID-02
    #[test]
    fn forgeries_are_refused() {
        let keys = KeySet::of(SigningPair::generate().unwrap());
        let kid = keys.signing.kid();
        let good = keys.signing.sign("at+jwt", &claims()).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let changed = format!("{}.{}.{}", parts[0], encode(&with("exp", json!(9999))), parts[2]);
        assert_eq!(check(&keys, &changed, 900), Err(TokenFault::Signature));
        let none = json!({ "alg": "none", "typ": "at+jwt", "kid": kid });
        let none = format!("{}.{}.", encode(&none), parts[1]);
        assert!(check(&keys, &none, 900).is_err());
        // The public key as an HMAC secret (RFC 8725, section 2.1).
        let mut header = jsonwebtoken::Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".into());
        header.kid = Some(kid.to_owned());
        let secret = EncodingKey::from_secret(keys.signing.modulus());
        let confused = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
        assert_eq!(check(&keys, &confused, 900), Err(TokenFault::Algorithm));
        for junk in ["", "a", "a.b.c", "..", good.trim_start_matches("e")] {
            assert!(check(&keys, junk, 900).is_err(), "{junk}");
        }
    }

    #[test]
    fn a_hint_may_be_old_but_not_an_access_token() {
        let keys = KeySet::of(SigningPair::generate().unwrap());
        let id = keys.signing.sign("JWT", &with("aud", json!("c"))).unwrap();
        assert_eq!(
            id_token_hint(&id, &keys, ISSUER).map(|c| c.aud),
            Ok("c".to_owned())
        );
        let access = keys.signing.sign("at+jwt", &claims()).unwrap();
        assert_eq!(id_token_hint(&access, &keys, ISSUER), Err(TokenFault::Type));
    }
}
