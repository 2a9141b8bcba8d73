//! Argon2id (RFC 9106) on a bounded pool: hashing costs memory and CPU, so few run at once, some wait, the rest are
//! told to come back.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// Passes over the memory; with 19 MiB and one lane this is OWASP's recommendation for Argon2id.
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes that may wait for their turn; at about 25 ms each the last one waits a second or two.
const QUEUE: usize = 64;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    argon: Arc<Argon2<'static>>,
    /// Verified for unknown e-mails, so that they take as long as known ones.
    dummy: Arc<str>,
}

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// Too many are waiting.
    #[error("too many sign-ins at the moment; try again shortly")]
    Busy,
    /// A defect: parameters, a stored hash that does not parse, or no randomness.
    #[error("cannot hash a password: {0}")]
    Failed(String),
}

impl Passwords {
    /// A pool of `concurrency` hashes at a time with `memory_kib` each.
    ///
    /// # Errors
    /// When Argon2 refuses the parameters.
    pub(crate) fn new(concurrency: usize, memory_kib: u32) -> Result<Self, PasswordError> {
        let params = Params::new(memory_kib, PASSES, LANES, None).map_err(failed)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash_now(&argon, "the password of nobody")?;
        Ok(Self {
            running: Arc::new(Semaphore::new(concurrency)),
            waiting: Arc::new(Semaphore::new(concurrency + QUEUE)),
            argon: Arc::new(argon),
            dummy: dummy.into(),
        })
    }

    /// Hashes a new password into a PHC string.
    ///
    /// # Errors
    /// [`PasswordError`]
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String, PasswordError> {
        let argon = self.argon.clone();
        self.run(move || hash_now(&argon, &password)).await
    }

    /// Whether `password` is the one of `stored`. Without a stored hash it takes the same time and is false.
    ///
    /// # Errors
    /// [`PasswordError`]
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let argon = self.argon.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        self.run(move || {
            let hash = PasswordHash::new(&stored).map_err(failed)?;
            // The stored hash brings its own parameters, so older ones stay valid when the configuration changes.
            let same = argon.verify_password(password.as_bytes(), &hash).is_ok();
            Ok(same && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self
            .waiting
            .clone()
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let turn = self.running.clone().acquire_owned().await.map_err(failed)?;
        // The permits move into the closure: a caller that gives up does not let more hashes run than allowed.
        let work = move || {
            let _held: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }
}

fn hash_now(argon: &Argon2<'_>, password: &str) -> Result<String, PasswordError> {
    let mut salt = [0u8; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| PasswordError::Failed("no randomness".into()))?;
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hash = argon.hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    // covers: ID-05
    #[tokio::test]
    async fn hashes_are_argon2id_with_the_configured_cost() {
        let pool = Passwords::new(2, 19_456).unwrap();
        let hash = pool.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(
            pool.verify(secret("correct horse"), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!pool.verify(secret("wrong horse"), Some(hash)).await.unwrap());
        assert!(!pool.verify(secret("the password of nobody"), None).await.unwrap());
    }

    // covers: ID-05
    #[tokio::test]
    async fn a_full_queue_is_refused_at_once() {
        let pool = Passwords::new(1, 8).unwrap();
        let all = u32::try_from(QUEUE + 1).unwrap();
        let taken = pool.waiting.clone().try_acquire_many_owned(all).unwrap();
        assert!(matches!(pool.hash(secret("x")).await, Err(PasswordError::Busy)));
        drop(taken);
        assert!(pool.hash(secret("x")).await.is_ok());
    }
}
