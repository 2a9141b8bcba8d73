//! Bearer secrets: codes, refresh tokens, cookies. Random when made, known to the database by their hash only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A fresh 256-bit secret, 43 characters of base64url.
///
/// # Errors
/// When the operating system has no randomness to give.
pub(crate) fn generate() -> Result<String, std::io::Error> {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness for a secret"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What the database keeps. SHA-256 without salt suffices for 256 random bits.
#[must_use]
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether `text` has the form of [`generate`]'s result, to refuse junk before asking the database.
#[must_use]
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_well_formed_and_differ() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert!(is_well_formed(&one));
        assert_ne!(one, two);
        assert!(!is_well_formed("x"));
    }
}
