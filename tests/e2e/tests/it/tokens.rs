//! Access tokens that are not good: each is refused with its own words (RFC 6750, section 3.1; RFC 8725).
//!
//! The tests sign with the real key, so that every refused token differs from a good one in a single point.

use crate::api::{Answer, Api, send};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;

/// A part of a compact JWT.
fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// A token's header, unverified.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// A token's claims, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// An RS256 token, whatever its header says.
fn signed(key: &KeyPair, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An HS256 token with a secret that everybody knows (RFC 8725, section 2.1).
fn confused(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(&with(header, "alg", json!("HS256")), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name);
    object
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// The issuer's own key, from its database.
async fn issuers_key(platform: &Platform, kid: &str) -> KeyPair {
    let database = platform.database().connect_as_superuser().await.expect("connect");
    let sql = "select private_key from identity.signing_key where kid = $1 and format = 'pkcs8'";
    let row = database.query_one(sql, &[&kid]).await.expect("the signing key");
    KeyPair::from_pkcs8(row.get(0)).expect("PKCS#8")
}

async fn customers(platform: &Platform, token: &str) -> Answer {
    send(
        platform
            .http
            .get(platform.at("/api/customers"))
            .bearer_auth(token),
    )
    .await
}

/// A 401 whose problem and challenge say the same; returns what they say.
async fn refused(platform: &Platform, what: &str, token: &str) -> String {
    let answer = customers(platform, token).await;
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    answer.assert_problem(401, "auth.unauthenticated");
    let detail = answer.body["detail"].as_str().expect("a detail").to_owned();
    let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{detail}\"");
    assert_eq!(answer.header("www-authenticate"), challenge, "{what}");
    detail
}

journeys! {
    // covers: GW-02, ID-02
    async fn tokens_that_are_not_good(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let (head, body) = (header(&alice.tokens.access), claims(&alice.tokens.access));
        let key = issuers_key(platform, head["kid"].as_str().expect("a kid")).await;
        let good = signed(&key, &head, &body);
        assert_eq!(customers(platform, &good).await.status, 200, "the tests sign as the issuer does");

        let stranger = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().expect("the public key");
        let spki = spki.as_ref();
        let jwk = json!({
            "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(stranger.public_key().modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(stranger.public_key().exponent().big_endian_without_leading_zero()),
        });
        let payload = |claims: &Value| URL_SAFE_NO_PAD.encode(claims.to_string());
        let (message, signature) = good.rsplit_once('.').expect("a JWT");
        let raised = with(&body, "roles", json!(["admin"]));
        let swapped = good.replacen(good.split('.').nth(1).expect("a payload"), &payload(&raised), 1);
        let issued = body["iat"].as_i64().expect("iat");
        let id = alice.tokens.id.clone().expect("an ID token");
        let unsigned = |alg: &str| format!("{}.", self::message(&with(&head, "alg", json!(alg)), &body));

        let cases: Vec<(&str, &str, Vec<String>)> = vec![
            ("garbage", "not a JWT in compact form", ["x", "a.b.c", "..", "a.b.c.d.e", "Zm9v.YmFy.YmF6", message]
                .map(str::to_owned).to_vec()),
            ("a forged signature", "signature is not valid", vec![
                signed(&stranger, &head, &body),
                signed(&stranger, &with(&head, "jwk", jwk), &body),
                signed(&stranger, &with(&head, "jku", json!("http://127.0.0.1:1/jwks")), &body),
                swapped,
                format!("{message}."),
                format!("{message}.{}", signature.chars().rev().collect::<String>()),
            ]),
            ("another algorithm", "alg is not RS256", vec![
                unsigned("none"), unsigned("None"), unsigned("nOnE"), unsigned(""),
                confused(spki, &head, &body),
                confused(pem(spki).as_bytes(), &head, &body),
                confused(key.public_key().modulus().big_endian_without_leading_zero(), &head, &body),
                signed(&key, &with(&head, "alg", json!("PS256")), &body),
                signed(&key, &with(&head, "alg", json!("RS512")), &body),
            ]),
            ("not an access token", "typ is not at+jwt", vec![
                id.clone(),
                signed(&key, &with(&head, "typ", json!("JWT")), &body),
                signed(&key, &without(&head, "typ"), &body),
            ]),
            ("an unknown extension", "critical header parameters", vec![
                signed(&key, &with(&head, "crit", json!(["b64"])), &body),
            ]),
            ("no kid", "no kid", vec![signed(&key, &without(&head, "kid"), &body)]),
            ("an unknown kid", "names no current key", vec![
                signed(&key, &with(&head, "kid", json!("unknown")), &body),
                signed(&stranger, &with(&head, "kid", json!("../../keys/0")), &body),
            ]),
            ("another issuer", "another issuer", vec![
                signed(&key, &head, &with(&body, "iss", json!("https://evil.test"))),
                signed(&key, &head, &with(&body, "iss", json!(format!("{}/", platform.url)))),
            ]),
            ("another audience", "another audience", vec![
                signed(&key, &head, &with(&body, "aud", json!("stoa-cli"))),
                signed(&key, &head, &with(&body, "aud", json!([]))),
                signed(&key, &head, &claims(&id)),
            ]),
            ("an old one", "has expired", vec![signed(&key, &head, &with(&body, "exp", json!(issued - 31)))]),
            ("an early one", "not valid yet", vec![signed(&key, &head, &with(&body, "nbf", json!(issued + 3600)))]),
            ("claims missing", "claims cannot be read", vec![
                signed(&key, &head, &without(&body, "tenantId")),
                signed(&key, &head, &without(&body, "exp")),
                signed(&key, &head, &without(&body, "aud")),
                signed(&key, &head, &with(&body, "sub", json!("alice"))),
            ]),
            ("a long one", "longer than 8 KiB", vec![
                signed(&key, &head, &with(&body, "padding", json!("x".repeat(9 << 10)))),
            ]),
        ];
        let mut details = BTreeSet::new();
        for (what, words, tokens) in &cases {
            for token in tokens {
                let detail = refused(platform, what, token).await;
                assert!(detail.contains(words), "{what}: {detail}");
                details.insert(detail);
            }
        }
        assert_eq!(details.len(), cases.len(), "each has its own words: {details:?}");
        assert_eq!(customers(platform, &good).await.status, 200, "and none of them got in the way of a good one");
    }

    // covers: GW-02
    async fn tokens_in_the_wrong_place(platform: &mut Platform) {
        let token = Api::sign_in(platform, "alice@acme.test").await.tokens.access;
        let at = |path: &str| platform.http.get(platform.at(path));
        let basic = format!("Basic {}", STANDARD.encode("alice@acme.test:stoa-demo-2026"));
        for request in [
            at("/api/customers"),
            at(&format!("/api/customers?access_token={token}")),
            at("/api/customers").header("cookie", format!("access_token={token}; token={token}")),
            at("/api/customers").header("x-access-token", &token),
            at("/api/customers").header("authorization", &token),
            at("/api/customers").header("authorization", "Bearer"),
            at("/api/customers").header("authorization", basic),
        ] {
            let answer = send(request).await;
            answer.assert_problem(401, "auth.unauthenticated");
            // Nothing was presented that could be invalid, so the challenge names no error (RFC 6750, section 3.1).
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{answer:?}");
        }
        // Sent twice, one reader may take the first and another the second: malformed (RFC 6750, section 3.1).
        let good = format!("Bearer {token}");
        for other in [good.as_str(), "Bearer x"] {
            let twice = at("/api/customers").header("authorization", &good).header("authorization", other);
            send(twice).await.assert_problem(400, "request.headers");
        }
        // A public page does not mind a bad token: whoever holds an expired one must be able to sign in again.
        let public = send(at("/.well-known/openid-configuration").bearer_auth("x")).await;
        assert_eq!(public.status, 200, "{public:?}");
        let lower = send(at("/api/customers").header("authorization", format!("bearer {token}"))).await;
        assert_eq!(lower.status, 200, "the scheme's case does not matter: {lower:?}");
    }
}
