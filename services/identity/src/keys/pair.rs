//! One RSA key pair: made, read, signing. By aws-lc-rs, whose private-key operations are constant-time.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A key pair with its `kid`.
pub(crate) struct SigningPair {
    pair: KeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    kid: String,
}

/// A key that cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[error("the signing key failed while {doing}")]
pub struct PairError {
    doing: &'static str,
}

impl SigningPair {
    /// A new RSA-2048 pair. Blocks for up to a second.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn generate() -> Result<Self, PairError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| failed("being generated"))?;
        Ok(Self::of(pair))
    }

    /// Reads a private key in PKCS#8.
    ///
    /// # Errors
    /// When it is not an RSA key.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, PairError> {
        let pair = KeyPair::from_pkcs8(der).map_err(|_| failed("being read from PKCS#8"))?;
        Ok(Self::of(pair))
    }

    fn of(pair: KeyPair) -> Self {
        let modulus = pair
            .public_key()
            .modulus()
            .big_endian_without_leading_zero()
            .to_vec();
        let exponent = pair
            .public_key()
            .exponent()
            .big_endian_without_leading_zero()
            .to_vec();
        let kid = thumbprint(&modulus, &exponent);
        Self {
            pair,
            modulus,
            exponent,
            kid,
        }
    }

    /// The private key in PKCS#8, to store it.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, PairError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| failed("being encoded"))?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The key's id: its RFC 7638 thumbprint.
    #[must_use]
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public modulus, big-endian.
    #[must_use]
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian.
    #[must_use]
    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// The public key as a JWK (RFC 7517).
    #[must_use]
    pub(crate) fn public_jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(&self.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.exponent),
        })
    }

    /// A compact JWS (RFC 7515, section 7.1) with RS256. About a millisecond of CPU.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub(crate) fn sign(&self, typ: &str, claims: &Value) -> Result<String, PairError> {
        let header = json!({ "alg": "RS256", "typ": typ, "kid": self.kid });
        let mut token = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| failed("signing a token"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// The SHA-256 thumbprint of an RSA key (RFC 7638, section 3): the required members in order, without blanks.
#[must_use]
pub(super) fn thumbprint(modulus: &[u8], exponent: &[u8]) -> String {
    let canonical = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(exponent),
        URL_SAFE_NO_PAD.encode(modulus)
    );
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

fn failed(doing: &'static str) -> PairError {
    PairError { doing }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: ID-09
    #[test]
    fn thumbprint_is_that_of_rfc_7638_section_3_1() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                 tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS\
                 D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let (n, e) = (
            URL_SAFE_NO_PAD.decode(n).unwrap(),
            URL_SAFE_NO_PAD.decode("AQAB").unwrap(),
        );
        assert_eq!(thumbprint(&n, &e), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    // covers: ID-09
    #[test]
    fn a_stored_key_reads_back() {
        let pair = SigningPair::generate().unwrap();
        let again = SigningPair::from_pkcs8(&pair.to_pkcs8().unwrap()).unwrap();
        assert_eq!(pair.kid(), again.kid());
        assert_eq!(pair.public_jwk(), again.public_jwk());
        assert!(SigningPair::from_pkcs8(b"junk").is_err());
    }
}
