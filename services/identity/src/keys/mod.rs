//! The signing keys: RSA-2048 pairs that every process of the service shares through the database, published before
//! they sign and kept until their last token has died.

mod pair;
mod store;

pub(crate) use pair::{PairError, SigningPair};

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::{Clock, Database, DbError, Problem, Scope, SystemScope};
use tokio::sync::{Mutex, Semaphore};

/// Reads and rotates the signing keys, which no tenant owns.
pub(crate) const KEYS: SystemScope = SystemScope::named("identity.keys");

const BUDGET: Duration = Duration::from_secs(5);
/// How long a process uses the keys that it has read, before it looks for newer ones.
const REREAD_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// A key that is older gets a successor.
const ROTATE_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a successor is published before it signs: longer than any verifier keeps a key set.
const PUBLISH_BEFORE: SignedDuration = SignedDuration::from_hours(2);
/// How long a replaced key stays published after its last signature: well above every token's lifetime.
const KEEP_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The keys of one moment.
pub(crate) struct KeySet {
    /// Signs new tokens.
    pub signing: Arc<SigningPair>,
    /// Verifies, by `kid`.
    pub verifying: HashMap<String, DecodingKey>,
    /// The published JWK Set (RFC 7517, section 5).
    pub jwks: Value,
    read_at: Timestamp,
}

/// The keys as every process shares them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    clock: Clock,
    /// Whether this process is a demo (`stoa up`).
    demo: bool,
    current: ArcSwapOption<KeySet>,
    /// One reader at a time; the others find its result.
    reading: Mutex<()>,
    /// A signature is a millisecond of CPU: as many at once as there are CPUs.
    signing: Arc<Semaphore>,
}

/// Why there is no usable key or signature.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A key that cannot be made, read or used.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The keys belong to a demo, whose users and passwords everybody knows.
    #[error(
        "this database was made by `stoa up` and holds its demo users and signing keys; serve a database of its own \
         (createdb, then `stoa migrate`), or use `stoa up`"
    )]
    Demo,
    /// The signing task did not finish.
    #[error("signing was interrupted: {0}")]
    Interrupted(String),
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl Keys {
    /// The keys in `db`, which is the system role's.
    #[must_use]
    pub(crate) fn new(db: Database, clock: Clock, demo: bool) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            inner: Arc::new(Inner {
                db,
                clock,
                demo,
                current: ArcSwapOption::empty(),
                reading: Mutex::new(()),
                signing: Arc::new(Semaphore::new(cpus)),
            }),
        }
    }

    /// Refuses a demo's keys outside a demo.
    ///
    /// # Errors
    /// [`KeyError::Demo`], or the database's.
    pub(crate) async fn refuse_demo(&self) -> Result<(), KeyError> {
        if !self.inner.demo && store::has_demo(&self.inner.db, &mut scope()).await? {
            return Err(KeyError::Demo);
        }
        Ok(())
    }

    /// The keys of now, from memory when they were read lately. The first call of a platform makes the first key.
    ///
    /// # Errors
    /// [`KeyError`]
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        if let Some(keys) = self.fresh() {
            return Ok(keys);
        }
        let _one = self.inner.reading.lock().await;
        if let Some(keys) = self.fresh() {
            return Ok(keys);
        }
        let keys = match self.read().await? {
            Some(keys) => keys,
            None => {
                self.rotate_if_due().await?;
                self.read().await?.ok_or_else(|| {
                    DbError::Unexpected("no signing key is in force although one was just made".into())
                })?
            }
        };
        let keys = Arc::new(keys);
        self.inner.current.store(Some(keys.clone()));
        Ok(keys)
    }

    fn fresh(&self) -> Option<Arc<KeySet>> {
        let now = self.inner.clock.now();
        self.inner
            .current
            .load_full()
            .filter(|keys| now.duration_since(keys.read_at).abs() < REREAD_AFTER)
    }

    async fn read(&self) -> Result<Option<KeySet>, KeyError> {
        let now = self.inner.clock.now();
        let stored = store::published(&self.inner.db, &mut scope(), now).await?;
        let mut set = KeySetBuilder::default();
        for key in stored {
            set.add(key, now)?;
        }
        Ok(set.finish(now))
    }

    /// Makes the first key, or the next one when the newest is old. Safe in every process at once: one key results.
    ///
    /// # Errors
    /// [`KeyError`]
    pub(crate) async fn rotate_if_due(&self) -> Result<(), KeyError> {
        let now = self.inner.clock.now();
        let newest = store::newest(&self.inner.db, &mut scope()).await?;
        if newest.is_some_and(|created| now.duration_since(created) < ROTATE_AFTER) {
            return Ok(());
        }
        // Outside the transaction: finding the primes takes a while.
        let pair = tokio::task::spawn_blocking(SigningPair::generate)
            .await
            .map_err(|e| KeyError::Interrupted(e.to_string()))??;
        let signs_from = match newest {
            Some(_) => now.saturating_add(PUBLISH_BEFORE).unwrap_or(now),
            None => now,
        };
        let retires_at = signs_from.saturating_add(KEEP_AFTER).unwrap_or(signs_from);
        let next = store::NewKey {
            pair: &pair,
            now,
            signs_from,
            retires_at,
            demo: self.inner.demo,
        };
        if store::insert_successor(&self.inner.db, &mut scope(), newest, next).await? {
            tracing::info!(kid = pair.kid(), %signs_from, "made a signing key");
        }
        Ok(())
    }

    /// Signs a JWT of the type `typ` with the current key.
    ///
    /// # Errors
    /// [`KeyError`]
    pub(crate) async fn sign(&self, typ: &'static str, claims: Value) -> Result<String, KeyError> {
        let pair = self.current().await?.signing.clone();
        let turn = self.inner.signing.clone().acquire_owned().await;
        let turn = turn.map_err(|e| KeyError::Interrupted(e.to_string()))?;
        let signed = tokio::task::spawn_blocking(move || {
            let _held = turn;
            pair.sign(typ, &claims)
        });
        Ok(signed.await.map_err(|e| KeyError::Interrupted(e.to_string()))??)
    }
}

fn scope() -> Scope {
    KEYS.global(BUDGET)
}

#[derive(Default)]
struct KeySetBuilder {
    signing: Option<SigningPair>,
    verifying: HashMap<String, DecodingKey>,
    public: Vec<Value>,
}

impl KeySetBuilder {
    fn add(&mut self, key: store::StoredKey, now: Timestamp) -> Result<(), KeyError> {
        let pair = SigningPair::from_pkcs8(&key.private_key)?;
        self.verifying.insert(
            pair.kid().to_owned(),
            DecodingKey::from_rsa_raw_components(pair.modulus(), pair.exponent()),
        );
        self.public.push(pair.public_jwk());
        // Keys come in the order of `signs_from`. Another process's clock may be ahead, so the first one is good even
        // if it is not in force here yet.
        if self.signing.is_none() || key.signs_from <= now {
            self.signing = Some(pair);
        }
        Ok(())
    }

    fn finish(self, now: Timestamp) -> Option<KeySet> {
        let signing = self.signing?;
        Some(KeySet {
            signing: Arc::new(signing),
            verifying: self.verifying,
            jwks: json!({ "keys": self.public }),
            read_at: now,
        })
    }
}

#[cfg(test)]
impl KeySet {
    /// A set of one fresh key, without a database.
    pub(crate) fn of(pair: SigningPair) -> Self {
        let key = DecodingKey::from_rsa_raw_components(pair.modulus(), pair.exponent());
        Self {
            verifying: HashMap::from([(pair.kid().to_owned(), key)]),
            jwks: json!({ "keys": [pair.public_jwk()] }),
            signing: Arc::new(pair),
            read_at: Timestamp::UNIX_EPOCH,
        }
    }
}
