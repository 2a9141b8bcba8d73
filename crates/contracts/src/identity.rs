//! Calls and events of the identity service.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use stoa_kernel::{Call, Event};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

use crate::Done;

/// The issuer and the public keys that verify its access tokens. Any scope may ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoadVerificationKeys {}

/// The reply of [`LoadVerificationKeys`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerificationKeys {
    /// The `iss` of valid tokens, compared as text; their `aud` is `<issuer>/stoa-api`.
    pub issuer: String,
    /// A JWK Set (RFC 7517, section 5).
    pub jwks: serde_json::Value,
}

impl Call for LoadVerificationKeys {
    const SERVICE: &'static str = "identity";
    const NAME: &'static str = "identity.load_verification_keys";
    type Reply = VerificationKeys;
}

/// Whether an access token is good now: signature, claims, and that its session was not ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct ValidateToken {
    /// The compact JWT.
    pub token: String,
}

/// Keeps the token out of logs.
impl std::fmt::Debug for ValidateToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidateToken").finish_non_exhaustive()
    }
}

/// The reply of [`ValidateToken`]. Everything but `reason` is absent when the token is not active.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStatus {
    /// Whether it is good.
    pub active: bool,
    /// Whose it is.
    pub subject: Option<UserId>,
    /// The tenant of its user.
    pub tenant: Option<TenantId>,
    /// Its `exp`, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// Why it is not good.
    pub reason: Option<String>,
}

impl Call for ValidateToken {
    const SERVICE: &'static str = "identity";
    const NAME: &'static str = "identity.validate_token";
    type Reply = TokenStatus;
}

/// Gives a user a password, so that they can sign in: for seeds and tests. Makes the account in the scope's tenant unless
/// the user service told of it before; one that has a password keeps it, so the call is idempotent by `id`. Refused with
/// `identity.email_taken` when another account has the e-mail, and with `request.invalid` when a field breaks its rule.
#[derive(Clone, Serialize, Deserialize)]
pub struct CreateUser {
    /// The account's id.
    pub id: UserId,
    /// The sign-in name; case and surrounding blanks do not count.
    pub email: String,
    /// The display name.
    pub name: String,
    /// The password in clear; it is stored as an Argon2id hash only.
    pub password: String,
}

/// Keeps personal data and the password out of logs.
impl std::fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateUser")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Call for CreateUser {
    const SERVICE: &'static str = "identity";
    const NAME: &'static str = "identity.create_user";
    /// Hashing waits for its turn in a bounded pool.
    const BUDGET: Duration = Duration::from_secs(10);
    type Reply = Done;
}

/// Whether an e-mail address can become a user's sign-in name: it is unique over all tenants. For the user service, in the
/// caller's own scope, before it creates a user or changes an address; the answer may be out of date a moment later, so
/// identity decides again when the event arrives.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckEmail {
    /// The address; case and surrounding blanks do not count.
    pub email: String,
    /// The user who is to have it; none for a new one. An address that they have already is available to them.
    pub user: Option<UserId>,
}

/// Keeps the address out of logs.
impl std::fmt::Debug for CheckEmail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckEmail")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The answer to [`CheckEmail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailAvailability {
    /// Whether no other live account has it.
    pub available: bool,
}

impl Call for CheckEmail {
    const SERVICE: &'static str = "identity";
    const NAME: &'static str = "identity.check_email";
    type Reply = EmailAvailability;
}

/// An account was created. A reference only: the e-mail and the name stay in the identity service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCreated {
    /// The account.
    pub user_id: UserId,
    /// Its version: 1.
    pub version: i64,
}

impl Event for AccountCreated {
    const TOPIC: &'static str = "domain.user.events";
    const TYPE: &'static str = "dev.stoa.identity.account.created.v1";
    const AGGREGATE: &'static str = "account";

    fn aggregate_id(&self) -> Uuid {
        self.user_id.uuid()
    }
    fn aggregate_version(&self) -> i64 {
        self.version
    }
}
