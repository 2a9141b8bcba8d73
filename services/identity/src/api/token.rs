//! `POST /oauth2/token` (RFC 6749, sections 4.1.3 and 6).

use crate::error::{OAuthError, TokenError};
use crate::grants::{self, Redemption};
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::store;
use crate::tokens::TokenResponse;
use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use stoa_kernel::Scope;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct TokenForm {
    /// `authorization_code` or `refresh_token`
    grant_type: String,
    /// The registered client.
    client_id: String,
    /// The code, with `authorization_code`.
    code: Option<String>,
    /// The authorization request's, with `authorization_code`.
    redirect_uri: Option<String>,
    /// The PKCE verifier, with `authorization_code`.
    code_verifier: Option<String>,
    /// The refresh token, with `refresh_token`. It is good for one use; take the new one from the answer.
    refresh_token: Option<String>,
    /// Less than was granted, with `refresh_token`.
    scope: Option<String>,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/oauth2/token",
        post_with(token, |op| {
            op.id("token")
                .tag(super::TAG)
                .summary("Exchange a code or a refresh token for tokens")
                .response::<200, Json<TokenResponse>>()
                .response_with::<400, Json<OAuthError>, _>(|res| res.description("Refused; `error` says why"))
                .response_with::<401, Json<OAuthError>, _>(|res| res.description("The client is unknown"))
        }),
    )
}

async fn token(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<TokenForm>,
) -> Response {
    let mut scope = state.scope(&context);
    match exchange(&state, &mut scope, &headers, &form).await {
        Ok(tokens) => {
            let mut response = Json(tokens).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => {
            tracing::debug!(error = error.error, why = %error.description, "token request refused");
            error.into_response()
        }
    }
}

async fn exchange(
    state: &State,
    scope: &mut Scope,
    headers: &HeaderMap,
    form: &Parameters<TokenForm>,
) -> Result<TokenResponse, TokenError> {
    let client_id = client_of(state, scope, headers, form).await?;
    let required = |name: &str| {
        form.get(name)
            .ok_or_else(|| TokenError::invalid_request(format!("{name} is missing")))
    };
    match required("grant_type")? {
        "authorization_code" => {
            let shown = Redemption {
                client_id: &client_id,
                code: required("code")?,
                redirect_uri: form.get("redirect_uri"),
                code_verifier: form.get("code_verifier"),
            };
            grants::redeem(state, scope, shown).await
        }
        "refresh_token" => {
            let token = required("refresh_token")?;
            grants::refresh(state, scope, &client_id, token, form.get("scope")).await
        }
        _ => Err(TokenError::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "grant_type must be authorization_code or refresh_token",
        )),
    }
}

/// The client of a request to the token or revocation endpoint: a public one, which names itself and has no secret.
pub(super) async fn client_of<Doc>(
    state: &State,
    scope: &mut Scope,
    headers: &HeaderMap,
    form: &Parameters<Doc>,
) -> Result<String, TokenError> {
    if let Some(fault) = form.fault() {
        return Err(TokenError::invalid_request(fault));
    }
    let secret = ["client_secret", "client_assertion"]
        .iter()
        .any(|name| form.get(name).is_some());
    if secret || headers.contains_key(header::AUTHORIZATION) {
        return Err(TokenError::invalid_client(
            "this client has no secret; send client_id in the form and nothing else",
        ));
    }
    let id = form
        .get("client_id")
        .ok_or_else(|| TokenError::invalid_request("client_id is missing"))?;
    store::find_client(&state.db.system, scope, id)
        .await?
        .map(|client| client.id)
        .ok_or_else(|| TokenError::invalid_client("no such client is registered"))
}
