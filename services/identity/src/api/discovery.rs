//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 4) and
//! `GET /.well-known/oauth-authorization-server` (RFC 8414), with the same content.

use crate::authorization::SCOPES;
use crate::state::State;
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use http::header;
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::allowed::Public;

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new()
        .api_route(
            "/.well-known/openid-configuration",
            get_with(discovery, |op| docs(op, "getOpenidConfiguration")),
        )
        .api_route(
            "/.well-known/oauth-authorization-server",
            get_with(discovery, |op| docs(op, "getAuthorizationServerMetadata")),
        )
}

fn docs<'t>(op: TransformOperation<'t>, id: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary("Where the endpoints are and what they support")
        .response_with::<200, Json<Metadata>, _>(|res| res.description("The provider's metadata"))
}

/// The provider's metadata.
#[derive(Serialize, JsonSchema)]
struct Metadata {
    /// The issuer, compared as text.
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
    scopes_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    subject_types_supported: &'static [&'static str],
    id_token_signing_alg_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    /// `S256` only (RFC 7636).
    code_challenge_methods_supported: &'static [&'static str],
    prompt_values_supported: &'static [&'static str],
    claim_types_supported: &'static [&'static str],
    claims_supported: &'static [&'static str],
    ui_locales_supported: &'static [&'static str],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    /// Answers carry `iss` (RFC 9207).
    authorization_response_iss_parameter_supported: bool,
}

async fn discovery(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
) -> ([(header::HeaderName, &'static str); 1], Json<Metadata>) {
    let at = |path: &str| format!("{}{path}", state.base);
    let metadata = Metadata {
        issuer: state.issuer.clone(),
        authorization_endpoint: at("/oauth2/authorize"),
        token_endpoint: at("/oauth2/token"),
        userinfo_endpoint: at("/oauth2/userinfo"),
        jwks_uri: at("/oauth2/jwks"),
        revocation_endpoint: at("/oauth2/revoke"),
        end_session_endpoint: at("/logout"),
        scopes_supported: &SCOPES,
        response_types_supported: &["code"],
        response_modes_supported: &["query"],
        grant_types_supported: &["authorization_code", "refresh_token"],
        subject_types_supported: &["public"],
        id_token_signing_alg_values_supported: &["RS256"],
        token_endpoint_auth_methods_supported: &["none"],
        revocation_endpoint_auth_methods_supported: &["none"],
        code_challenge_methods_supported: &["S256"],
        prompt_values_supported: &["none", "login", "consent", "select_account"],
        claim_types_supported: &["normal"],
        claims_supported: &[
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "at_hash",
            "sid",
            "tenantId",
            "name",
            "email",
        ],
        ui_locales_supported: &["en"],
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
        authorization_response_iss_parameter_supported: true,
    };
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(metadata))
}
