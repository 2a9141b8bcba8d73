//! The internal scope: on whose behalf one service calls another.
//!
//! `x-stoa-scope` is base64url(JSON claims) "." base64url(Ed25519 signature), signed with the key of the sender's
//! mesh certificate. The receiver verifies it with the certificate of the very connection that it came over, so a
//! header that leaks is of no use to any other peer. What changes with every request (deadline, correlation, trace)
//! travels beside it, so that both sides can cache: signing costs about 20 µs and verifying about 60.

use super::tls::{MeshTls, PeerCertificate};
use crate::Clock;
use crate::request::Identity;
use crate::scope::{Actor, Scope};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use stoa_types::TenantId;
use uuid::Uuid;

/// How long a credential is valid, and how much of that must be left for it to be used again, in seconds.
const LIFETIME: i64 = 60;
const REUSE_ABOVE: i64 = 30;
/// How far two machines' clocks may differ, in seconds.
const SKEW: i64 = 5;
/// The longest header that is looked at.
const MAX_BYTES: usize = 2048;
const CACHED: u64 = 20_000;
/// Keeps these signatures apart from everything else that the key signs, such as TLS handshakes.
const CONTEXT: &[u8] = b"stoa internal scope 1\n";

/// The only service that may forward edge requests.
pub(super) const GATEWAY: &str = "gateway";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The sending service.
    pub(super) iss: String,
    /// The called service.
    pub(super) aud: String,
    pub(super) tenant: TenantId,
    /// `None` is an anonymous edge request.
    pub(super) actor: Option<Actor>,
    /// Seconds since the Unix epoch.
    pub(super) exp: i64,
}

/// Why a credential is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the internal scope is missing or malformed")]
    Malformed,
    #[error("the internal scope was not signed by the peer of this connection")]
    Signature,
    #[error("the peer's certificate does not name {0}, for which it claims to speak")]
    Issuer(String),
    #[error("the internal scope is for {0}, which was not called or is not here")]
    Audience(String),
    #[error("the internal scope has expired, or was made for too long; are the machines' clocks right?")]
    Expired,
    #[error("the peer may not act as {0}")]
    Actor(String),
    #[error("only the gateway forwards edge requests, and {0} is not it")]
    NotGateway(String),
    #[error("a call needs an actor, and an anonymous request has none")]
    Anonymous,
    #[error("an external context is no credential between services")]
    ExternalContext,
}

/// Makes credentials for one called service.
pub(super) struct Minter {
    tls: MeshTls,
    audience: &'static str,
    cache: Cache<Minted, (HeaderValue, i64)>,
}

#[derive(PartialEq, Eq, Hash)]
struct Minted {
    edge: bool,
    tenant: TenantId,
    actor: Option<Actor>,
}

impl Minter {
    pub(super) fn new(tls: MeshTls, audience: &'static str) -> Self {
        Self {
            tls,
            audience,
            cache: bounded(),
        }
    }

    /// For a call on behalf of `scope`.
    pub(super) fn call(&self, scope: &Scope) -> Result<HeaderValue, String> {
        self.cached(Minted {
            edge: false,
            tenant: scope.tenant(),
            actor: Some(scope.actor().clone()),
        })
    }

    /// For a forwarded edge request; `None` is anonymous.
    pub(super) fn edge(&self, identity: Option<Identity>) -> Result<HeaderValue, String> {
        self.cached(Minted {
            edge: true,
            tenant: identity.map_or(TenantId(Uuid::nil()), |i| i.tenant),
            actor: identity.map(|i| Actor::User(i.user)),
        })
    }

    /// Signs at most once in [`REUSE_ABOVE`] seconds for the same claims.
    fn cached(&self, key: Minted) -> Result<HeaderValue, String> {
        let now = self.tls.clock().now().as_second();
        if let Some((header, exp)) = self.cache.get(&key)
            && (REUSE_ABOVE + 1..=LIFETIME).contains(&(exp - now))
        {
            return Ok(header);
        }
        let claims = Claims {
            iss: self.issuer(&key)?.to_owned(),
            aud: self.audience.to_owned(),
            tenant: key.tenant,
            actor: key.actor.clone(),
            exp: now + LIFETIME,
        };
        let header = sign(&self.tls, &claims)?;
        self.cache.insert(key, (header.clone(), claims.exp));
        Ok(header)
    }

    /// The service of this process that speaks: the gateway at the edge, the scope's own for a system scope, and
    /// else the first that the certificate names.
    fn issuer<'a>(&'a self, key: &'a Minted) -> Result<&'a str, String> {
        let service = match &key.actor {
            _ if key.edge => GATEWAY,
            Some(Actor::System(name)) if owner(name) != Some("kernel") => owner(name).unwrap_or(name),
            _ => self.tls.services().first().map_or("", |name| name),
        };
        if self.tls.covers(service) {
            return Ok(service);
        }
        Err(format!(
            "this process's certificate does not name {service}; issue mesh.cert_file for every service that it runs"
        ))
    }
}

/// Signs claims as a header value.
pub(super) fn sign(tls: &MeshTls, claims: &Claims) -> Result<HeaderValue, String> {
    let json = serde_json::to_vec(claims).map_err(|e| format!("writing the internal scope: {e}"))?;
    let mut header = URL_SAFE_NO_PAD.encode(json);
    let signature = tls.key().sign(&signed(header.as_bytes()));
    header.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut header);
    let mut header =
        HeaderValue::from_str(&header).map_err(|e| format!("writing the internal scope: {e}"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The peer's key and the full header.
type Verified = ([u8; 32], Box<[u8]>);

/// Checks credentials; one for all connections of a listener.
pub(super) struct Verifier {
    clock: Clock,
    /// Claims whose signature was verified.
    cache: Cache<Verified, Arc<Claims>>,
}

impl Verifier {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            cache: bounded(),
        }
    }

    /// The claims of a call's credential, whose actor is there.
    pub(super) fn call(
        &self,
        peer: &PeerCertificate,
        header: &[u8],
        audience: &str,
    ) -> Result<(TenantId, Actor), Refusal> {
        let claims = self.verify(peer, header, audience)?;
        let actor = claims.actor.clone().ok_or(Refusal::Anonymous)?;
        Ok((claims.tenant, actor))
    }

    /// The caller of a forwarded edge request; `None` is anonymous.
    pub(super) fn edge(
        &self,
        peer: &PeerCertificate,
        header: &[u8],
        audience: &str,
    ) -> Result<Option<Identity>, Refusal> {
        let claims = self.verify(peer, header, audience)?;
        if claims.iss != GATEWAY {
            return Err(Refusal::NotGateway(claims.iss.clone()));
        }
        match &claims.actor {
            None => Ok(None),
            Some(Actor::User(user)) => Ok(Some(Identity {
                tenant: claims.tenant,
                user: *user,
            })),
            Some(Actor::System(name)) => Err(Refusal::Actor(name.clone())),
        }
    }

    fn verify(&self, peer: &PeerCertificate, header: &[u8], audience: &str) -> Result<Arc<Claims>, Refusal> {
        if header.len() > MAX_BYTES {
            return Err(Refusal::Malformed);
        }
        let key = (peer.key, Box::from(header));
        let claims = match self.cache.get(&key) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(open(&peer.key, header)?);
                self.cache.insert(key, claims.clone());
                claims
            }
        };
        // The cache remembers only that the signature is good; everything else is asked each time.
        self.check(peer, &claims, audience)?;
        Ok(claims)
    }

    fn check(&self, peer: &PeerCertificate, claims: &Claims, audience: &str) -> Result<(), Refusal> {
        if !peer.covers(&claims.iss) {
            return Err(Refusal::Issuer(claims.iss.clone()));
        }
        if claims.aud != audience {
            return Err(Refusal::Audience(claims.aud.clone()));
        }
        let left = claims.exp.saturating_sub(self.clock.now().as_second());
        if !(1 - SKEW..=LIFETIME + SKEW).contains(&left) {
            return Err(Refusal::Expired);
        }
        match &claims.actor {
            Some(Actor::System(name)) if !may_act(peer, name) => Err(Refusal::Actor(name.clone())),
            None if claims.iss != GATEWAY => Err(Refusal::Anonymous),
            _ => Ok(()),
        }
    }
}

/// Every process replicates as `kernel.…`; all other system scopes belong to a service, whose certificate it takes.
/// So `platform.…`, which is no service's, stays within its process.
fn may_act(peer: &PeerCertificate, name: &str) -> bool {
    match owner(name) {
        Some("kernel") => true,
        Some(service) => peer.covers(service),
        None => false,
    }
}

fn owner(system_scope: &str) -> Option<&str> {
    system_scope.split_once('.').map(|(service, _)| service)
}

fn open(key: &[u8; 32], header: &[u8]) -> Result<Claims, Refusal> {
    let dot = header.iter().position(|b| *b == b'.').ok_or(Refusal::Malformed)?;
    let (payload, signature) = header.split_at_checked(dot).ok_or(Refusal::Malformed)?;
    let decode = |text: &[u8]| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed);
    let signature = decode(signature.strip_prefix(b".").unwrap_or_default())?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed(payload), &signature)
        .map_err(|_| Refusal::Signature)?;
    serde_json::from_slice(&decode(payload)?).map_err(|_| Refusal::Malformed)
}

fn signed(payload: &[u8]) -> Vec<u8> {
    [CONTEXT, payload].concat()
}

fn bounded<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let longest = Duration::from_secs(LIFETIME.unsigned_abs() + 2 * SKEW.unsigned_abs());
    Cache::builder()
        .max_capacity(CACHED)
        .time_to_live(longest)
        .build()
}

#[cfg(test)]
mod tests;
