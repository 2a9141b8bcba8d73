//! Access tokens of all users, signed with the platform's own key, which the benchmark reads from its database: signing
//! a thousand users in by password would only take longer.

use super::{Shape, USERS, tenant, user};
use crate::stoa::Installation;
use anyhow::{Context, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;
use stoa_kernel::Clock;
use tokio_postgres::Client;

/// Longer than any run; the edge looks only whether a token has expired.
const LIFETIME: i64 = 24 * 3600;

/// Who may ask, and what for.
pub(crate) struct Users {
    pub(crate) shape: Shape,
    /// By tenant and user.
    tokens: Vec<String>,
}

impl Users {
    pub(crate) fn token(&self, tenant: u32, user: u32) -> Option<&str> {
        let position = usize::try_from(tenant * USERS + user).ok()?;
        self.tokens.get(position).map(String::as_str)
    }
}

/// Starts the platform for a moment, since its first start makes the key.
pub(crate) async fn sign_for_all(
    installation: &Installation,
    admin: &Client,
    shape: Shape,
) -> anyhow::Result<Arc<Users>> {
    let (stoa, _) = installation.start()?;
    installation.get("/oauth2/jwks")?;
    stoa.stop()?;
    let row = admin
        .query_one(
            "select kid, private_key from identity.signing_key where signs_from <= now()
             order by signs_from desc limit 1",
            &[],
        )
        .await
        .context("reading the platform's signing key")?;
    let signer = Signer::new(row.try_get(0)?, row.try_get(1)?)?;
    let pairs = (0..shape.tenants).flat_map(|tenant| (0..USERS).map(move |user| (tenant, user)));
    let tokens = pairs.map(|(tenant, user)| signer.sign(&claims(&installation.public_url, tenant, user)));
    Ok(Arc::new(Users {
        shape,
        tokens: tokens.collect::<anyhow::Result<_>>()?,
    }))
}

/// As the token endpoint would make them.
fn claims(issuer: &str, of_tenant: u32, of_user: u32) -> Value {
    let now = Clock::system().now().as_second();
    let role = ["admin", "manager"].get(of_user as usize).copied();
    json!({
        "iss": issuer,
        "aud": format!("{issuer}/stoa-api"),
        "sub": user(of_tenant, of_user),
        "client_id": "stoa-web",
        "jti": stoa_types::new_id(),
        "iat": now,
        "exp": now + LIFETIME,
        "auth_time": now,
        "scope": "openid profile email",
        "sid": stoa_types::new_id(),
        "gid": stoa_types::new_id(),
        "tenantId": tenant(of_tenant),
        "roles": [role.unwrap_or("representative")],
        "dataScope": "own",
        "plan": "free",
    })
}

struct Signer {
    kid: String,
    key: RsaKeyPair,
}

impl Signer {
    fn new(kid: String, private_key: Vec<u8>) -> anyhow::Result<Self> {
        let key = RsaKeyPair::from_pkcs8(&private_key);
        let key = key.map_err(|error| anyhow!("the platform's signing key cannot be read: {error}"))?;
        Ok(Self { kid, key })
    }

    /// RS256, in compact form (RFC 7515, section 7.1).
    fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": self.kid });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        );
        signed.map_err(|_| anyhow!("a token cannot be signed"))?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
