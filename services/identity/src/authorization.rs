//! The authorization request (RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2.1): its rules, and what
//! follows from it.

use crate::client::Client;
use crate::parameters::Parameters;
use crate::pkce;
use jiff::Timestamp;
use schemars::JsonSchema;
use stoa_types::UserId;

/// The scopes that exist. Others are ignored (RFC 6749, section 3.3).
pub(crate) const SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The longest `state` or `nonce`, in bytes.
const MAX_OPAQUE: usize = 2048;

/// The parameters of an authorization request.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the parameters; Parameters reads them")]
pub(crate) struct AuthorizationParameters {
    /// The registered client.
    pub client_id: String,
    /// Where the code goes: one of the client's, compared exactly; loopback URIs with any port.
    pub redirect_uri: String,
    /// `code`
    pub response_type: String,
    /// Blank-separated: `openid`, `profile`, `email`, `offline_access`.
    pub scope: String,
    /// The PKCE challenge (RFC 7636): base64url of the verifier's SHA-256.
    pub code_challenge: String,
    /// `S256`
    pub code_challenge_method: String,
    /// Comes back unchanged.
    pub state: Option<String>,
    /// Comes back in the ID token.
    pub nonce: Option<String>,
    /// `none`: answer without showing a page; `login`: ask for the password again.
    pub prompt: Option<String>,
    /// The oldest sign-in that will do, in seconds.
    pub max_age: Option<u64>,
    /// The e-mail to fill in.
    pub login_hint: Option<String>,
    /// An ID token of the expected user.
    pub id_token_hint: Option<String>,
}

/// A valid request.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRequest {
    /// Who asks.
    pub client: Client,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Comes back unchanged.
    pub state: Option<String>,
    /// Goes into the ID token.
    pub nonce: Option<String>,
    /// The granted scopes, blank-separated.
    pub scope: String,
    /// The PKCE challenge.
    pub code_challenge: String,
    /// The e-mail to fill in.
    pub login_hint: Option<String>,
    /// An ID token of the expected user.
    pub id_token_hint: Option<String>,
    /// No page may be shown.
    silent: bool,
    /// The password must be asked for.
    fresh: bool,
    max_age: Option<i64>,
}

/// Why a request is refused, and where the refusal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Onto a page of ours: the client or its URI is not known, so nobody is redirected.
    Page(String),
    /// Back to the client (RFC 6749, section 4.1.2.1).
    Redirect(ErrorRedirect),
}

/// An error that goes back to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorRedirect {
    /// The client's registered URI.
    pub redirect_uri: String,
    /// The request's `state`.
    pub state: Option<String>,
    /// The error code.
    pub error: &'static str,
    /// The error in words.
    pub description: &'static str,
}

/// What to do with a valid request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The browser's session will do.
    Issue,
    /// Ask for the password.
    SignIn,
    /// No page may be shown, and the session will not do.
    LoginRequired,
}

impl AuthorizationRequest {
    /// Reads a request of `client`, which is the one that `client_id` names, if it exists.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn read<Doc>(parameters: &Parameters<Doc>, client: Option<Client>) -> Result<Self, Refusal> {
        let page = |text: &str| Refusal::Page(text.to_owned());
        let client = client.ok_or_else(|| {
            page(
                parameters
                    .fault()
                    .unwrap_or("The application that sent you here is not registered."),
            )
        })?;
        let redirect_uri = parameters
            .get("redirect_uri")
            .filter(|uri| client.may_redirect_to(uri))
            .ok_or_else(|| page("The application that sent you here asked to be answered at an address that is not registered."))?
            .to_owned();
        let state = parameters.get("state").map(str::to_owned);
        Self::read_redirectable(parameters, client, &redirect_uri, state.clone()).map_err(
            |(error, description)| {
                Refusal::Redirect(ErrorRedirect {
                    redirect_uri,
                    state,
                    error,
                    description,
                })
            },
        )
    }

    fn read_redirectable<Doc>(
        parameters: &Parameters<Doc>,
        client: Client,
        redirect_uri: &str,
        state: Option<String>,
    ) -> Result<Self, (&'static str, &'static str)> {
        let invalid = |description| Err(("invalid_request", description));
        if let Some(fault) = parameters.fault() {
            return invalid(fault);
        }
        for (name, error) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
            ("registration", "registration_not_supported"),
        ] {
            if parameters.get(name).is_some() {
                return Err((error, "send the parameters themselves"));
            }
        }
        match parameters.get("response_type") {
            Some("code") => {}
            Some(_) => {
                return Err((
                    "unsupported_response_type",
                    "only response_type=code is supported",
                ));
            }
            None => return invalid("response_type is missing; it must be code"),
        }
        if !matches!(parameters.get("response_mode"), None | Some("query")) {
            return invalid("only response_mode=query is supported");
        }
        let code_challenge = read_challenge(parameters)?;
        let nonce = parameters.get("nonce").map(str::to_owned);
        if [&state, &nonce]
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_OPAQUE)
        {
            return invalid("state and nonce may have 2048 bytes each");
        }
        let (silent, fresh) = read_prompt(parameters.get("prompt"))?;
        let max_age = match parameters.get("max_age").map(str::parse::<u32>) {
            None => None,
            Some(Ok(seconds)) => Some(i64::from(seconds)),
            Some(Err(_)) => return invalid("max_age must be a number of seconds"),
        };
        let scope = granted_scope(parameters.get("scope").unwrap_or_default());
        if scope.is_empty() {
            return Err((
                "invalid_scope",
                "scope must name at least one of openid, profile, email, offline_access",
            ));
        }
        Ok(Self {
            redirect_uri: redirect_uri.to_owned(),
            client,
            state,
            nonce,
            scope,
            code_challenge,
            login_hint: parameters.get("login_hint").map(str::to_owned),
            id_token_hint: parameters.get("id_token_hint").map(str::to_owned),
            silent,
            fresh,
            max_age,
        })
    }

    /// What follows, given the browser's session as its user and time of sign-in. `expected` is the user of a valid
    /// `id_token_hint`.
    #[must_use]
    pub(crate) fn step(
        &self,
        session: Option<(UserId, Timestamp)>,
        expected: Option<UserId>,
        now: Timestamp,
    ) -> Step {
        let usable = session.is_some_and(|(user, auth_time)| {
            let young = self
                .max_age
                .is_none_or(|max| now.as_second().saturating_sub(auth_time.as_second()) <= max);
            !self.fresh && young && expected.is_none_or(|expected| expected == user)
        });
        match (usable, self.silent) {
            (true, _) => Step::Issue,
            (false, true) => Step::LoginRequired,
            (false, false) => Step::SignIn,
        }
    }

    /// The redirect that refuses this request.
    #[must_use]
    pub(crate) fn refuse(&self, error: &'static str, description: &'static str) -> ErrorRedirect {
        ErrorRedirect {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            error,
            description,
        }
    }
}

fn read_challenge<Doc>(parameters: &Parameters<Doc>) -> Result<String, (&'static str, &'static str)> {
    let invalid = |description| Err(("invalid_request", description));
    let Some(challenge) = parameters.get("code_challenge") else {
        return invalid("code_challenge is missing; PKCE is required (RFC 7636)");
    };
    // Without a method the challenge is `plain` (section 4.3), which is not supported.
    if parameters.get("code_challenge_method") != Some("S256") {
        return invalid("code_challenge_method must be S256");
    }
    if !pkce::is_challenge(challenge) {
        return invalid("code_challenge must be 43 characters of base64url");
    }
    Ok(challenge.to_owned())
}

/// `prompt` as (no page may be shown, the password must be asked for).
fn read_prompt(prompt: Option<&str>) -> Result<(bool, bool), (&'static str, &'static str)> {
    let values: Vec<&str> = prompt.unwrap_or_default().split_ascii_whitespace().collect();
    if values.contains(&"none") && values.len() > 1 {
        return Err(("invalid_request", "prompt=none cannot be combined"));
    }
    if values
        .iter()
        .any(|value| !["none", "login", "consent", "select_account"].contains(value))
    {
        return Err(("invalid_request", "prompt must be none or login"));
    }
    let fresh = values.contains(&"login") || values.contains(&"select_account");
    Ok((values.contains(&"none"), fresh))
}

/// The scopes of `requested` that exist, each once, in its order.
#[must_use]
pub(crate) fn granted_scope(requested: &str) -> String {
    let mut granted: Vec<&str> = Vec::new();
    for scope in requested.split_ascii_whitespace() {
        if SCOPES.contains(&scope) && !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    granted.join(" ")
}

/// Whether a blank-separated list holds a scope.
#[must_use]
pub(crate) fn has_scope(scopes: &str, scope: &str) -> bool {
    scopes.split_ascii_whitespace().any(|held| held == scope)
}

/// Appends parameters to a redirect URI, keeping those that it has (RFC 6749, section 3.1.2).
///
/// # Errors
/// When the URI, which was registered, does not parse.
pub(crate) fn with_query(uri: &str, parameters: &[(&str, &str)]) -> Result<String, url::ParseError> {
    let mut uri = url::Url::parse(uri)?;
    uri.query_pairs_mut().extend_pairs(parameters);
    Ok(uri.into())
}

#[cfg(test)]
mod tests;
