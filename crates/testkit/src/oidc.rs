//! Signs in as a browser and a public client do: authorization code with PKCE over plain HTTP.

use crate::platform::Platform;
use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The loopback redirect that the tests' client uses; nothing listens there, the code is read from `Location`.
pub const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// The tokens of a signed-in user.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, if one was asked for.
    pub refresh: Option<String>,
    /// The ID token.
    pub id: Option<String>,
}

/// An authorization code with what redeems it.
pub struct Code {
    /// The code.
    pub code: String,
    /// The PKCE verifier.
    pub verifier: String,
}

/// Signs `email` in with the demo password and redeems the code.
///
/// # Errors
/// Where the flow left its path, with the response.
pub async fn sign_in(platform: &Platform, email: &str) -> anyhow::Result<Tokens> {
    let code = authorize(platform, email, "stoa-demo-2026").await?;
    redeem(platform, &code).await
}

/// Runs the authorization request and the login form; returns the code.
///
/// # Errors
/// As [`sign_in`].
pub async fn authorize(platform: &Platform, email: &str, password: &str) -> anyhow::Result<Code> {
    let verifier = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("verifier for {email}")));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let query = [
        ("response_type", "code"),
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid offline_access"),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .cookie_store(true)
        .build()?;
    let mut url = platform.at("/oauth2/authorize");
    let mut response = http.get(&url).query(&query).send().await?;
    let mut posted = false;
    for _ in 0..8 {
        if let Some(location) = response.headers().get("location") {
            let location = reqwest::Url::parse(&platform.url)?.join(location.to_str()?)?;
            if location.as_str().starts_with(REDIRECT) {
                let code = location.query_pairs().find(|(name, _)| name == "code");
                let (_, code) = code.with_context(|| format!("no code in {location}"))?;
                return Ok(Code {
                    code: code.into_owned(),
                    verifier,
                });
            }
            url = location.to_string();
            response = http.get(&url).send().await?;
            continue;
        }
        let status = response.status();
        let html = response.text().await?;
        ensure!(
            status.is_success() && !posted,
            "sign-in refused ({status}): {html}"
        );
        let form = Form::parse(&html).with_context(|| format!("no login form in: {html}"))?;
        let action = reqwest::Url::parse(&url)?.join(&form.action)?;
        let mut fields = form.hidden;
        fields.push(("email".into(), email.into()));
        fields.push(("password".into(), password.into()));
        posted = true;
        url = action.to_string();
        response = http.post(action).form(&fields).send().await?;
    }
    anyhow::bail!("the sign-in did not end at the redirect URI")
}

/// Redeems a code at the token endpoint.
///
/// # Errors
/// As [`sign_in`].
pub async fn redeem(platform: &Platform, code: &Code) -> anyhow::Result<Tokens> {
    let (status, body) = token(
        platform,
        &[
            ("grant_type", "authorization_code"),
            ("client_id", "stoa-cli"),
            ("redirect_uri", REDIRECT),
            ("code", &code.code),
            ("code_verifier", &code.verifier),
        ],
    )
    .await?;
    ensure!(status == 200, "the code was refused: {status} {body}");
    Tokens::read(&body)
}

/// Posts to the token endpoint; returns status and body.
///
/// # Errors
/// When the answer is not JSON.
pub async fn token(platform: &Platform, fields: &[(&str, &str)]) -> anyhow::Result<(u16, Value)> {
    let response = platform
        .http
        .post(platform.at("/oauth2/token"))
        .form(fields)
        .send()
        .await?;
    let status = response.status().as_u16();
    Ok((
        status,
        response.json().await.context("the token endpoint answers JSON")?,
    ))
}

impl Tokens {
    /// Reads a token response.
    ///
    /// # Errors
    /// When there is no access token in it.
    pub fn read(body: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Ok(Self {
            access: text("access_token").context("no access_token")?,
            refresh: text("refresh_token"),
            id: text("id_token"),
        })
    }

    /// The access token's claims, unverified.
    ///
    /// # Errors
    /// When it is not a JWT.
    pub fn claims(&self) -> anyhow::Result<Value> {
        let payload = self.access.split('.').nth(1).context("not a JWT")?;
        Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
    }
}

/// A form of a page, as a browser without scripts sees it.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// Its hidden fields.
    pub hidden: Vec<(String, String)>,
}

impl Form {
    /// The page's first form: enough of HTML for a page that works without scripts.
    #[must_use]
    pub fn parse(html: &str) -> Option<Self> {
        let form = html.split("<form").nth(1)?.split("</form>").next()?;
        let action = attribute(form.split('>').next()?, "action").unwrap_or_default();
        let hidden = form
            .split("<input")
            .skip(1)
            .filter_map(|input| input.split('>').next())
            .filter(|input| attribute(input, "type").as_deref() == Some("hidden"))
            .filter_map(|input| {
                Some((
                    attribute(input, "name")?,
                    attribute(input, "value").unwrap_or_default(),
                ))
            })
            .collect();
        Some(Self { action, hidden })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(
        value
            .replace("&#x2f;", "/")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&#x27;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
