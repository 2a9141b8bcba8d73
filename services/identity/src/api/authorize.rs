//! `GET|POST /oauth2/authorize` (RFC 6749, section 4.1.1; OpenID Connect Core, section 3.1.2).

use super::{answer_client, refuse, refuse_by_redirect, see_other};
use crate::authorization::{AuthorizationParameters, AuthorizationRequest, Refusal, Step};
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::{grants, store, verify};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::response::Response;
use http::HeaderMap;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;
use stoa_kernel::{Problem, Scope};
use stoa_types::UserId;

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/oauth2/authorize",
        get_with(by_query, |op| docs(op, "authorize")).post_with(by_form, |op| docs(op, "authorizeByForm")),
    )
}

fn docs<'t>(op: TransformOperation<'t>, id: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary("Start a sign-in (authorization code flow with PKCE)")
        .description(
            "Redirects to the sign-in page, or, when the browser is signed in, to `redirect_uri` with `code`, `state` \
             and `iss`. A request that is wrong redirects there with `error`, unless `client_id` or `redirect_uri` is \
             not registered: then a page says so.",
        )
        .response_with::<303, (), _>(|res| res.description("To the sign-in page or back to the client"))
}

async fn by_query(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    parameters: Parameters<AuthorizationParameters>,
) -> Response {
    let answer = authorize(&state, &context, &headers, &parameters).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn by_form(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(parameters): FormParameters<AuthorizationParameters>,
) -> Response {
    let answer = authorize(&state, &context, &headers, &parameters).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn authorize(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    parameters: &Parameters<AuthorizationParameters>,
) -> Result<Response, Problem> {
    let mut scope = state.scope(context);
    let request = match read(state, &mut scope, parameters).await? {
        Ok(request) => request,
        Err(refusal) => return Ok(refuse(state, &refusal)),
    };
    let expected = match expected_user(state, &request).await? {
        Ok(expected) => expected,
        Err(refusal) => return Ok(refuse(state, &refusal)),
    };
    let session = state.session(&mut scope, headers).await?;
    let signed_in = session.map(|session| (session.user, session.auth_time));
    match (request.step(signed_in, expected, state.clock.now()), session) {
        (Step::Issue, Some(session)) => {
            let code = grants::issue_code(state, &mut scope, &request, &session).await?;
            Ok(answer_code(state, &request, &code))
        }
        (Step::LoginRequired, _) => {
            let refusal = request.refuse(
                "login_required",
                "the user is not signed in, or not lately enough",
            );
            Ok(refuse_by_redirect(state, &refusal))
        }
        (Step::SignIn | Step::Issue, _) => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("request", &parameters.to_query())
                .finish();
            Ok(see_other(&format!("{}/login?{query}", state.base)))
        }
    }
}

/// Reads an authorization request, looking its client up.
pub(super) async fn read<Doc>(
    state: &State,
    scope: &mut Scope,
    parameters: &Parameters<Doc>,
) -> Result<Result<AuthorizationRequest, Refusal>, Problem> {
    let client = match parameters.get("client_id") {
        Some(id) => store::find_client(&state.db.system, scope, id).await?,
        None => None,
    };
    Ok(AuthorizationRequest::read(parameters, client))
}

/// The answer with a code.
pub(super) fn answer_code(state: &State, request: &AuthorizationRequest, code: &str) -> Response {
    answer_client(
        state,
        &request.redirect_uri,
        &[("code", code)],
        request.state.as_deref(),
    )
}

/// The user whom `id_token_hint` names.
async fn expected_user(
    state: &State,
    request: &AuthorizationRequest,
) -> Result<Result<Option<UserId>, Refusal>, Problem> {
    let Some(hint) = &request.id_token_hint else {
        return Ok(Ok(None));
    };
    let keys = state.keys.current().await?;
    let claims = verify::id_token_hint(hint, &keys, &state.issuer);
    Ok(match claims {
        Ok(claims) if claims.aud == request.client.id => Ok(Some(claims.sub)),
        _ => Err(Refusal::Redirect(request.refuse(
            "invalid_request",
            "id_token_hint is not an ID token of this client",
        ))),
    })
}
