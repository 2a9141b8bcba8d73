//! Accounts, sessions and grants: types and rules without I/O.

use crate::password_rules;
use jiff::{SignedDuration, Timestamp};
use stoa_kernel::FieldError;
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

/// How long a browser stays signed in.
pub(crate) const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(12);
/// How long an authorization code may be redeemed (RFC 6749, section 4.1.2, recommends at most ten minutes).
pub(crate) const CODE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// Failures that are free.
const FREE_FAILURES: i32 = 10;
/// Requests for a new password that are free: each sends a mail.
const FREE_RESETS: i32 = 3;
/// Failures that are further apart start a new count.
pub(crate) const FAILURE_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// A browser that is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The session's id, the `sid` of tokens.
    pub id: Uuid,
    /// The user.
    pub user: UserId,
    /// When the password was last asked for.
    pub auth_time: Timestamp,
}

/// What a user granted a client: from an authorization code to all tokens that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// The client.
    pub client_id: String,
    /// The session in which it was granted.
    pub session: Uuid,
    /// What is revoked as a whole.
    pub family: Uuid,
    /// Blank-separated scopes.
    pub scope: String,
    /// When the password was asked for.
    pub auth_time: Timestamp,
    /// The authorization request's nonce; only for the first ID token (OpenID Connect Core, section 12.2).
    pub nonce: Option<String>,
}

/// The sign-in name as it is stored and compared.
#[must_use]
pub(crate) fn normalise_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Checks a new account's fields; the e-mail is already normalised.
///
/// # Errors
/// Every field that breaks its rule.
pub(crate) fn check_account(email: &str, name: &str, password: &str) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    if !is_email(email) {
        errors.push(FieldError::new(
            "/email",
            "format",
            "an e-mail address of at most 254 characters, such as ada@example.com",
        ));
    }
    if name.trim().is_empty() || name.chars().count() > 200 {
        errors.push(FieldError::new("/name", "length", "1 to 200 characters"));
    }
    if let Err(fault) = password_rules::check(password, email, name) {
        errors.push(fault.field_error());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether it has the form of an address; it is normalised.
#[must_use]
pub(crate) fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    (3..=254).contains(&email.chars().count())
        && !local.is_empty()
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && !local.contains('@')
}

/// How long sign-ins with an e-mail are refused after its `failures`-th failure: nothing at first, then 30 seconds,
/// doubling up to 15 minutes.
#[must_use]
pub(crate) fn backoff(failures: i32) -> Option<SignedDuration> {
    doubling(failures.checked_sub(FREE_FAILURES)?)
}

/// How long no more mails for a new password are sent to an address after the `requests`-th: as [`backoff`].
#[must_use]
pub(crate) fn reset_backoff(requests: i32) -> Option<SignedDuration> {
    doubling(requests.checked_sub(FREE_RESETS)?)
}

fn doubling(beyond: i32) -> Option<SignedDuration> {
    let beyond = u32::try_from(beyond).ok()?;
    let seconds = 30_i64.saturating_mul(1 << beyond.min(10));
    Some(SignedDuration::from_secs(seconds.min(900)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: ID-05
    #[test]
    fn backoff_starts_at_the_tenth_failure_and_doubles() {
        let seconds = |failures| backoff(failures).map(|d| d.as_secs());
        assert_eq!(seconds(1), None);
        assert_eq!(seconds(9), None);
        assert_eq!(seconds(10), Some(30));
        assert_eq!(seconds(11), Some(60));
        assert_eq!(seconds(14), Some(480));
        assert_eq!(seconds(15), Some(900));
        assert_eq!(seconds(i32::MAX), Some(900));
        assert_eq!(
            (reset_backoff(2), reset_backoff(3)),
            (None, Some(SignedDuration::from_secs(30)))
        );
    }

    #[test]
    fn fields_are_checked_by_name() {
        let pointers = |email, name, password| -> Vec<String> {
            let errors = check_account(email, name, password).err().unwrap_or_default();
            errors.into_iter().map(|e| e.pointer).collect()
        };
        assert!(pointers("ada@example.com", "Ada", "correct horse").is_empty());
        assert_eq!(
            pointers("ada", " ", "elevenchars"),
            ["/email", "/name", "/password"]
        );
        for email in ["@x", "a@", "a b@x.y", "a@.x", "a@x.", "a@b@c.d"] {
            assert_eq!(pointers(email, "Ada", "correct horse"), ["/email"], "{email}");
        }
        assert_eq!(normalise_email(" Ada@Example.COM\n"), "ada@example.com");
    }
}
