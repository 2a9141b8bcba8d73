//! What makes an access token good: signature, then every claim, each refusal with its own words.

use super::keys::KeySet;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stoa_kernel::request::Identity;
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

/// How far the issuer's clock and ours may differ, in seconds.
const LEEWAY: i64 = 30;

/// The longest token, in bytes.
pub(super) const MAX_TOKEN: usize = 8 << 10;

/// Why a token is refused; the text is the `error_description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the token is not a JWT in compact form")]
    Malformed,
    #[error("the token is longer than 8 KiB")]
    TooLong,
    #[error("the token's alg is not RS256")]
    Algorithm,
    #[error("the token's typ is not at+jwt; send an access token")]
    Type,
    #[error("the token has critical header parameters that are not understood")]
    Critical,
    #[error("the token has no kid")]
    NoKey,
    #[error("the token's kid names no current key of the issuer")]
    UnknownKey,
    #[error("the token's signature is not valid")]
    Signature,
    #[error("the token's claims cannot be read")]
    Claims,
    #[error("the token comes from another issuer")]
    Issuer,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token has expired; refresh it")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
}

impl TokenError {
    /// The reason in the request record.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "token.malformed",
            Self::TooLong => "token.too_long",
            Self::Algorithm => "token.algorithm",
            Self::Type => "token.type",
            Self::Critical => "token.critical",
            Self::NoKey => "token.no_kid",
            Self::UnknownKey => "token.unknown_kid",
            Self::Signature => "token.signature",
            Self::Claims => "token.claims",
            Self::Issuer => "token.issuer",
            Self::Audience => "token.audience",
            Self::Expired => "token.expired",
            Self::NotYet => "token.not_yet",
        }
    }
}

/// A token whose signature and claims hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    /// Whose it is.
    pub(super) identity: Identity,
    /// Its `exp`, in seconds since 1970.
    pub(super) expires: i64,
}

/// A token taken apart, its header checked, nothing verified.
pub(super) struct Unverified<'t> {
    /// Which key signed it, as it says.
    pub(super) kid: String,
    message: &'t str,
    payload: &'t str,
    signature: &'t str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    iss: String,
    aud: OneOrMany,
    sub: Uuid,
    tenant_id: Uuid,
    exp: i64,
    nbf: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Takes a compact JWT apart and checks its header: nothing else than an RS256 access token (RFC 9068) goes further.
pub(super) fn open(token: &str) -> Result<Unverified<'_>, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
    if payload.contains('.') {
        return Err(TokenError::Malformed);
    }
    let header: Header = part(header).ok_or(TokenError::Malformed)?;
    if header.alg != "RS256" {
        return Err(TokenError::Algorithm);
    }
    if header.crit.is_some() {
        return Err(TokenError::Critical);
    }
    let typ = header.typ.unwrap_or_default();
    if !["at+jwt", "application/at+jwt"]
        .iter()
        .any(|known| typ.eq_ignore_ascii_case(known))
    {
        return Err(TokenError::Type);
    }
    Ok(Unverified {
        kid: header.kid.ok_or(TokenError::NoKey)?,
        message,
        payload,
        signature,
    })
}

impl Unverified<'_> {
    /// Verifies the signature, then the claims at `now` (seconds since 1970).
    pub(super) fn verify(&self, keys: &KeySet, now: i64) -> Result<Verified, TokenError> {
        let key = keys.get(&self.kid).ok_or(TokenError::UnknownKey)?;
        let signed =
            jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, Algorithm::RS256);
        if !matches!(signed, Ok(true)) {
            return Err(TokenError::Signature);
        }
        let claims: Claims = part(self.payload).ok_or(TokenError::Claims)?;
        if claims.iss != keys.issuer {
            return Err(TokenError::Issuer);
        }
        let meant = match &claims.aud {
            OneOrMany::One(audience) => *audience == keys.audience,
            OneOrMany::Many(audiences) => audiences.contains(&keys.audience),
        };
        if !meant {
            return Err(TokenError::Audience);
        }
        if claims.exp.saturating_add(LEEWAY) <= now {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > now) {
            return Err(TokenError::NotYet);
        }
        Ok(Verified {
            identity: Identity {
                tenant: TenantId(claims.tenant_id),
                user: UserId(claims.sub),
            },
            expires: claims.exp,
        })
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
pub(super) mod tests;
