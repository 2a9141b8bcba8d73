use super::*;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use stoa_contracts::identity::VerificationKeys;

pub(in crate::edge) const ISSUER: &str = "https://stoa.example";

/// An issuer with one RSA key.
pub(in crate::edge) struct Signer {
    kid: String,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    pub(in crate::edge) fn new(kid: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
            "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e),
        });
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // jsonwebtoken takes PKCS#1: the octet string at the end of PKCS#8 (RFC 5958), after 26 bytes of header.
        let key = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
        Self {
            kid: kid.into(),
            key,
            jwk,
        }
    }

    pub(in crate::edge) fn keys(&self) -> KeySet {
        KeySet::read(&VerificationKeys {
            issuer: ISSUER.into(),
            jwks: self.jwks(),
        })
    }

    pub(in crate::edge) fn jwks(&self) -> Value {
        json!({"keys": [self.jwk]})
    }

    /// A good token, after `change` had its way with header and claims.
    pub(in crate::edge) fn token(&self, now: i64, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut header = json!({"alg": "RS256", "typ": "at+jwt", "kid": self.kid});
        let mut claims = json!({
            "iss": ISSUER, "aud": format!("{ISSUER}/stoa-api"), "iat": now, "exp": now + 300,
            "sub": Uuid::from_u128(7), "tenantId": Uuid::from_u128(8),
        });
        change(&mut header, &mut claims);
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::RS256).unwrap();
        format!("{message}.{signature}")
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn judge(token: &str, keys: &KeySet, now: i64) -> Result<Verified, TokenError> {
    open(token)?.verify(keys, now)
}

const NOW: i64 = 1_800_000_000;

// covers: GW-02
#[test]
fn a_good_token_names_its_user_and_tenant() {
    let signer = Signer::new("a");
    let verified = judge(&signer.token(NOW, |_, _| {}), &signer.keys(), NOW).unwrap();
    assert_eq!(verified.identity.user, UserId(Uuid::from_u128(7)));
    assert_eq!(verified.identity.tenant, TenantId(Uuid::from_u128(8)));
    assert_eq!(verified.expires, NOW + 300);
    let many = signer.token(NOW, |_, claims| {
        claims["aud"] = json!(["x", format!("{ISSUER}/stoa-api")])
    });
    assert!(judge(&many, &signer.keys(), NOW).is_ok());
}

// covers: GW-02
#[test]
fn every_defect_has_its_own_refusal() {
    use TokenError as E;
    type Change = fn(&mut Value, &mut Value);
    let signer = Signer::new("a");
    let keys = signer.keys();
    let cases: &[(&str, Change, E)] = &[
        ("alg none", |h, _| h["alg"] = json!("none"), E::Algorithm),
        ("alg None", |h, _| h["alg"] = json!("nOnE"), E::Algorithm),
        ("alg HS256", |h, _| h["alg"] = json!("HS256"), E::Algorithm),
        ("alg PS256", |h, _| h["alg"] = json!("PS256"), E::Algorithm),
        ("id token", |h, _| h["typ"] = json!("JWT"), E::Type),
        (
            "no typ",
            |h, _| drop(h.as_object_mut().unwrap().remove("typ")),
            E::Type,
        ),
        ("crit", |h, _| h["crit"] = json!(["b64"]), E::Critical),
        (
            "no kid",
            |h, _| drop(h.as_object_mut().unwrap().remove("kid")),
            E::NoKey,
        ),
        ("unknown kid", |h, _| h["kid"] = json!("b"), E::UnknownKey),
        (
            "other issuer",
            |_, c| c["iss"] = json!("https://evil.example"),
            E::Issuer,
        ),
        (
            "issuer with slash",
            |_, c| c["iss"] = json!(format!("{ISSUER}/")),
            E::Issuer,
        ),
        ("other audience", |_, c| c["aud"] = json!("other"), E::Audience),
        ("no audience", |_, c| c["aud"] = json!([]), E::Audience),
        ("expired", |_, c| c["exp"] = json!(NOW - 30), E::Expired),
        ("early", |_, c| c["nbf"] = json!(NOW + 31), E::NotYet),
        (
            "no exp",
            |_, c| drop(c.as_object_mut().unwrap().remove("exp")),
            E::Claims,
        ),
        (
            "no tenant",
            |_, c| drop(c.as_object_mut().unwrap().remove("tenantId")),
            E::Claims,
        ),
        ("sub is no id", |_, c| c["sub"] = json!("alice"), E::Claims),
    ];
    for (what, change, expected) in cases {
        let token = signer.token(NOW, change);
        assert_eq!(judge(&token, &keys, NOW), Err(*expected), "{what}");
    }
    let within = signer.token(NOW, |_, claims| {
        claims["exp"] = json!(NOW - 29);
        claims["nbf"] = json!(NOW + 30);
    });
    assert!(judge(&within, &keys, NOW).is_ok(), "30 seconds of leeway");
}

// covers: GW-02
#[test]
fn forged_tokens_are_refused() {
    let (signer, other) = (Signer::new("a"), Signer::new("a"));
    let keys = signer.keys();
    let stranger = other.token(NOW, |_, _| {});
    assert_eq!(
        judge(&stranger, &keys, NOW),
        Err(TokenError::Signature),
        "another key, same kid"
    );

    // The claims of one token under the signature of another.
    let good = signer.token(NOW, |_, _| {});
    let admin = signer.token(NOW, |_, claims| claims["sub"] = json!(Uuid::from_u128(1)));
    let payload = admin.split('.').nth(1).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let mixed = format!("{}.{payload}.{}", parts[0], parts[2]);
    assert_eq!(judge(&mixed, &keys, NOW), Err(TokenError::Signature));

    // No signature at all, with the honest header.
    let bare = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(judge(&bare, &keys, NOW), Err(TokenError::Signature));
    let none = format!(
        "{}.{}.",
        encode(&json!({"alg": "none", "typ": "at+jwt", "kid": "a"})),
        parts[1]
    );
    assert_eq!(judge(&none, &keys, NOW), Err(TokenError::Algorithm));

    // HS256 keyed with the public key, which everybody has.
    let header = encode(&json!({"alg": "HS256", "typ": "at+jwt", "kid": "a"}));
    let message = format!("{header}.{}", parts[1]);
    let public = URL_SAFE_NO_PAD.decode(signer.jwk["n"].as_str().unwrap()).unwrap();
    let mac = jsonwebtoken::crypto::sign(
        message.as_bytes(),
        &EncodingKey::from_secret(&public),
        Algorithm::HS256,
    )
    .unwrap();
    assert_eq!(
        judge(&format!("{message}.{mac}"), &keys, NOW),
        Err(TokenError::Algorithm)
    );
    // The same, under a header that claims RS256.
    let relabelled = format!("{}.{}.{mac}", parts[0], parts[1]);
    assert_eq!(judge(&relabelled, &keys, NOW), Err(TokenError::Signature));
}

// covers: GW-02
#[test]
fn only_rsa_signature_keys_are_taken_from_the_set() {
    let signer = Signer::new("a");
    let mut encryption = signer.jwk.clone();
    encryption["use"] = json!("enc");
    let mut other = signer.jwk.clone();
    other["alg"] = json!("RS512");
    for jwk in [
        encryption,
        other,
        json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
    ] {
        let keys = KeySet::read(&VerificationKeys {
            issuer: ISSUER.into(),
            jwks: json!({"keys": [jwk]}),
        });
        assert!(keys.get("a").is_none());
    }
}

#[test]
fn what_is_not_a_jwt() {
    let long = "a".repeat(MAX_TOKEN + 1);
    for (text, expected) in [
        ("", TokenError::Malformed),
        ("a", TokenError::Malformed),
        ("a.b", TokenError::Malformed),
        ("a.b.c", TokenError::Malformed),
        ("a.b.c.d", TokenError::Malformed),
        ("e30.e30.x", TokenError::Malformed),
        (long.as_str(), TokenError::TooLong),
    ] {
        assert_eq!(open(text).err(), Some(expected), "{text}");
    }
}
