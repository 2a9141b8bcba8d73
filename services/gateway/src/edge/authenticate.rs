//! Stage 3: who calls. A verified token is remembered until it expires, 60 seconds at most.

use super::Refusal;
use super::keys::Keys;
use super::token::{self, TokenError, Verified};
use foldhash::fast::RandomState;
use http::{HeaderMap, header};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::time::Duration;
use stoa_kernel::request::Identity;
use stoa_kernel::{CacheUse, Clock, Mesh};

/// A token that was withdrawn stays usable here at most this long.
const REMEMBER: Duration = Duration::from_secs(60);
const REMEMBERED: u64 = 100_000;

/// What the request's credentials amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// None were sent.
    None,
    /// A token was sent that is not good. On a public endpoint it is ignored, so that a client with an expired token can
    /// still sign in again.
    Refused(TokenError),
    /// A good token.
    Good(Identity),
}

/// Verifies bearer tokens.
pub(super) struct Authenticator {
    keys: Keys,
    clock: Clock,
    /// By the whole token's SHA-256, so that no token lies in memory and no two can be mistaken for each other.
    verified: Cache<[u8; 32], Verified, RandomState>,
    remembered: CacheUse,
}

impl Authenticator {
    pub(super) fn new(mesh: Mesh, clock: Clock) -> Self {
        Self {
            keys: Keys::new(mesh),
            clock,
            verified: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBER)
                .build_with_hasher(RandomState::default()),
            remembered: CacheUse::of("verified_tokens"),
        }
    }

    /// # Errors
    /// 503 when the token cannot be judged because the issuer's keys cannot be had.
    pub(super) async fn authenticate(&self, headers: &HeaderMap) -> Result<Credentials, Refusal> {
        let Some(token) = bearer(headers) else {
            return Ok(Credentials::None);
        };
        let now = self.clock.now().as_second();
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(known) = self.verified.get(&digest)
            && known.expires > now
        {
            self.remembered.hit();
            return Ok(Credentials::Good(known.identity));
        }
        self.remembered.miss();
        let opened = match token::open(token) {
            Ok(opened) => opened,
            Err(error) => return Ok(Credentials::Refused(error)),
        };
        let keys = self
            .keys
            .for_kid(&opened.kid)
            .await
            .map_err(|problem| Refusal::new("token.keys_unavailable", problem))?;
        match opened.verify(&keys, now) {
            Ok(verified) => {
                self.verified.insert(digest, verified);
                Ok(Credentials::Good(verified.identity))
            }
            Err(error) => Ok(Credentials::Refused(error)),
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1); other schemes are for whom they are meant.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::super::token::tests::{ISSUER, Signer};
    use super::*;
    use jiff::SignedDuration;

    fn headers(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("bEaReR {token}").parse().unwrap());
        headers
    }

    fn authenticator(signer: &Signer, clock: &Clock) -> Authenticator {
        let authenticator = Authenticator::new(Mesh::new(&["identity"]), clock.clone());
        authenticator.keys().hold(signer.keys());
        authenticator
    }

    // covers: GW-02
    #[tokio::test]
    async fn a_remembered_token_ends_with_its_expiry() {
        let clock = Clock::adjustable();
        let signer = Signer::new("a");
        let authenticator = authenticator(&signer, &clock);
        let now = clock.now().as_second();
        let token = signer.token(now, |_, _| {});
        let good = authenticator
            .authenticate(&headers(&token))
            .await
            .unwrap_or(Credentials::None);
        assert!(matches!(good, Credentials::Good(_)));
        assert_eq!(
            authenticator
                .authenticate(&headers(&token))
                .await
                .unwrap_or(Credentials::None),
            good
        );

        clock.advance(SignedDuration::from_secs(400));
        let late = authenticator
            .authenticate(&headers(&token))
            .await
            .unwrap_or(Credentials::None);
        assert_eq!(late, Credentials::Refused(TokenError::Expired));
    }

    // covers: GW-02
    #[tokio::test]
    async fn one_changed_character_is_another_token() {
        let clock = Clock::adjustable();
        let signer = Signer::new("a");
        let authenticator = authenticator(&signer, &clock);
        let token = signer.token(clock.now().as_second(), |_, _| {});
        authenticator
            .authenticate(&headers(&token))
            .await
            .map_err(|r| r.reason)
            .unwrap();
        let kept: String = token.chars().take(token.len() - 4).collect();
        let forged = format!("{kept}AAAA");
        let refused = authenticator
            .authenticate(&headers(&forged))
            .await
            .map_err(|r| r.reason)
            .unwrap();
        assert_eq!(refused, Credentials::Refused(TokenError::Signature));
    }

    // covers: GW-02
    #[tokio::test]
    async fn no_token_another_scheme_and_no_keys() {
        let clock = Clock::adjustable();
        let signer = Signer::new("a");
        let nobody = Authenticator::new(Mesh::new(&["identity"]), clock.clone());
        let none = nobody.authenticate(&HeaderMap::new()).await.map_err(|r| r.reason);
        assert_eq!(none, Ok(Credentials::None));
        let mut basic = HeaderMap::new();
        basic.insert(header::AUTHORIZATION, "Basic YTpi".parse().unwrap());
        assert_eq!(
            nobody.authenticate(&basic).await.map_err(|r| r.reason),
            Ok(Credentials::None)
        );
        let token = signer.token(clock.now().as_second(), |_, _| {});
        let refused = nobody
            .authenticate(&headers(&token))
            .await
            .map_err(|r| r.problem.status);
        assert_eq!(refused, Err(503), "without keys nothing can be judged");
        assert!(ISSUER.starts_with("https://"));
    }
}
