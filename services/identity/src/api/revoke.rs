//! `POST /oauth2/revoke` (RFC 7009).

use super::token::client_of;
use crate::error::{OAuthError, TokenError};
use crate::grants;
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use stoa_kernel::Scope;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct RevocationForm {
    /// The registered client.
    client_id: String,
    /// A refresh or access token; everything that was issued with it is revoked.
    token: String,
    /// Not needed.
    token_type_hint: Option<String>,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/oauth2/revoke",
        post_with(revoke, |op| {
            op.id("revokeToken")
                .tag(super::TAG)
                .summary("Revoke a token and all that was issued with it")
                .description("Answers 200 for unknown tokens too (RFC 7009, section 2.2).")
                .response_with::<200, (), _>(|res| res.description("The token is not valid any more"))
                .response_with::<400, Json<OAuthError>, _>(|res| res.description("Refused; `error` says why"))
        }),
    )
}

async fn revoke(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<RevocationForm>,
) -> Response {
    let mut scope = state.scope(&context);
    match revoke_shown(&state, &mut scope, &headers, &form).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn revoke_shown(
    state: &State,
    scope: &mut Scope,
    headers: &HeaderMap,
    form: &Parameters<RevocationForm>,
) -> Result<(), TokenError> {
    let client_id = client_of(state, scope, headers, form).await?;
    let token = form
        .get("token")
        .ok_or_else(|| TokenError::invalid_request("token is missing"))?;
    Ok(grants::revoke_token(state, scope, &client_id, token).await?)
}
