//! The issuer's public keys: kept for 30 minutes, fetched again for an unknown `kid`, at most once in 5 seconds.

use arc_swap::ArcSwapOption;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_contracts::identity::{LoadVerificationKeys, VerificationKeys};
use stoa_kernel::{Mesh, Problem, SystemScope};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Asks the identity service for the keys that verify its tokens.
pub(crate) const LOAD_KEYS: SystemScope = SystemScope::named("gateway.keys");

/// Keys are fetched again after this long.
const FRESH: Duration = Duration::from_secs(30 * 60);
/// Keys that could not be fetched again are refused after this long: a withdrawn key must die.
const USABLE: Duration = Duration::from_secs(60 * 60);
/// Between two fetches: forged tokens with made-up kids must not become load on the issuer.
const PAUSE: Duration = Duration::from_secs(5);
const LOAD_BUDGET: Duration = Duration::from_secs(3);

/// The keys of one issuer.
pub(super) struct KeySet {
    pub(super) issuer: String,
    pub(super) audience: String,
    keys: HashMap<String, DecodingKey>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517). Only RSA signature keys count: a token can then never be verified with anything
    /// else, whatever its header says.
    pub(super) fn read(loaded: &VerificationKeys) -> Self {
        let listed = loaded.jwks.get("keys").and_then(|keys| keys.as_array());
        let keys = listed
            .into_iter()
            .flatten()
            .filter_map(|jwk| {
                let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
                let usable = jwk.kty == "RSA"
                    && jwk.usage.is_none_or(|usage| usage == "sig")
                    && jwk.alg.is_none_or(|alg| alg == "RS256");
                let key = DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?).ok()?;
                usable.then_some((jwk.kid?, key))
            })
            .collect();
        Self {
            issuer: loaded.issuer.clone(),
            audience: format!("{}/stoa-api", loaded.issuer),
            keys,
        }
    }

    pub(super) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.get(kid)
    }
}

/// The keys in memory.
pub(super) struct Keys {
    mesh: Mesh,
    held: ArcSwapOption<Held>,
    /// When the last fetch began; the lock lets one caller fetch for all.
    fetching: Mutex<Option<Instant>>,
}

struct Held {
    set: Arc<KeySet>,
    at: Instant,
}

impl Keys {
    pub(super) fn new(mesh: Mesh) -> Self {
        Self {
            mesh,
            held: ArcSwapOption::empty(),
            fetching: Mutex::new(None),
        }
    }

    /// The keys, fetched when they are old or do not hold `kid`.
    ///
    /// # Errors
    /// 503 when there are none and they cannot be fetched.
    pub(super) async fn for_kid(&self, kid: &str) -> Result<Arc<KeySet>, Problem> {
        let held = self.held.load_full();
        if let Some(held) = &held
            && held.at.elapsed() < FRESH
            && held.set.get(kid).is_some()
        {
            return Ok(held.set.clone());
        }
        let mut last = self.fetching.lock().await;
        // Somebody else may have fetched while we waited.
        let held = self.held.load_full();
        let paused = last.is_some_and(|at| at.elapsed() < PAUSE);
        if let Some(held) = &held
            && held.at.elapsed() < USABLE
            && (paused || (held.at.elapsed() < FRESH && held.set.get(kid).is_some()))
        {
            return Ok(held.set.clone());
        }
        // Without keys that may be used: the others do not wait behind one fetch each while the issuer is away.
        if paused {
            return Err(unavailable());
        }
        *last = Some(Instant::now());
        let mut scope = LOAD_KEYS.global(LOAD_BUDGET);
        match self.mesh.call(&mut scope, LoadVerificationKeys {}).await {
            Ok(loaded) => {
                let set = Arc::new(KeySet::read(&loaded));
                let at = Instant::now();
                self.held.store(Some(Arc::new(Held { set: set.clone(), at })));
                Ok(set)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot fetch the keys that verify tokens");
                held.filter(|held| held.at.elapsed() < USABLE)
                    .map(|held| held.set.clone())
                    .ok_or_else(unavailable)
            }
        }
    }

    /// Puts keys in place, as if fetched now.
    #[cfg(test)]
    pub(super) fn hold(&self, set: KeySet) {
        self.held.store(Some(Arc::new(Held {
            set: Arc::new(set),
            at: Instant::now(),
        })));
    }
}

fn unavailable() -> Problem {
    Problem::unavailable(
        "the identity service is not reachable, so tokens cannot be verified; try again shortly",
    )
}
