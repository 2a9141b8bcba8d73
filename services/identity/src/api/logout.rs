//! `GET|POST /logout` (OpenID Connect RP-Initiated Logout 1.0).
//!
//! A client that shows an ID token of this browser's session ends it at once. Otherwise the user is asked, so that a
//! link on another site signs nobody out.

use super::{see_other, set_cookie};
use crate::authorization::with_query;
use crate::client::Client;
use crate::cookies::Cookie;
use crate::model::Session;
use crate::pages::LogoutPage;
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::verify::HintClaims;
use crate::{csrf, store, verify};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;
use stoa_kernel::{Problem, Scope};

/// The parameters that the confirmation sends again.
const KEPT: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the parameters; Parameters reads them")]
struct LogoutParameters {
    /// An ID token of the session to end; it may have expired.
    id_token_hint: Option<String>,
    /// The client, when no ID token names it.
    client_id: Option<String>,
    /// Where the browser goes afterwards: one of the client's registered URIs.
    post_logout_redirect_uri: Option<String>,
    /// Comes back unchanged.
    state: Option<String>,
    /// The confirmation form's token.
    csrf: Option<String>,
}

/// A valid request.
struct LogoutRequest {
    hint: Option<HintClaims>,
    client: Option<Client>,
    return_to: Option<String>,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/logout",
        get_with(by_query, |op| docs(op, "logout")).post_with(by_form, |op| docs(op, "logoutByForm")),
    )
}

fn docs<'t>(op: TransformOperation<'t>, id: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary("Sign out")
        .description("Ends the browser's session and revokes what was issued in it. Asks first, unless `id_token_hint` is of this session.")
        .response_with::<200, axum::response::Html<String>, _>(|res| res.description("The question, or that it is done"))
        .response_with::<303, (), _>(|res| res.description("Signed out; to `post_logout_redirect_uri`"))
}

async fn by_query(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    parameters: Parameters<LogoutParameters>,
) -> Response {
    let answer = logout(&state, &context, &headers, &parameters, false).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn by_form(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<LogoutParameters>,
) -> Response {
    let confirmed = csrf::check(state.cookies, &headers, form.get("csrf"));
    let answer = logout(&state, &context, &headers, &form, confirmed).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn logout(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    parameters: &Parameters<LogoutParameters>,
    confirmed: bool,
) -> Result<Response, Problem> {
    let mut scope = state.scope(context);
    let request = match read(state, &mut scope, parameters).await? {
        Ok(request) => request,
        Err(why) => {
            let title = "This sign-out link does not work";
            return Ok(state.pages.refusal(StatusCode::BAD_REQUEST, title, why));
        }
    };
    let session = match state.session(&mut scope, headers).await? {
        Some(session) => {
            let hinted = request.hint.as_ref().is_some_and(|hint| is_of(hint, &session));
            if !hinted && !confirmed {
                return ask(state, headers, parameters, &request);
            }
            Some(session)
        }
        // Nothing is signed in here, so nobody can be tricked; the ID token proves that the client knew the session.
        None => hinted_session(state, &mut scope, &request).await?,
    };
    if let Some(session) = session {
        store::end_session(&state.db.system, &mut scope, &session, state.clock.now()).await?;
    }
    let mut response = done(state, parameters, &request)?;
    // Only a cookie that the browser sent: a form on another site comes without it, and must not remove it.
    if state.cookies.read(headers, Cookie::Session).is_some() {
        set_cookie(&mut response, &state.cookies.clear(Cookie::Session));
    }
    Ok(response)
}

async fn read(
    state: &State,
    scope: &mut Scope,
    parameters: &Parameters<LogoutParameters>,
) -> Result<Result<LogoutRequest, &'static str>, Problem> {
    if let Some(fault) = parameters.fault() {
        return Ok(Err(fault));
    }
    let hint = match parameters.get("id_token_hint") {
        Some(token) => {
            let keys = state.keys.current().await?;
            // One that does not verify counts as none: its key may have been retired long ago.
            verify::id_token_hint(token, &keys, &state.issuer).ok()
        }
        None => None,
    };
    let named = parameters.get("client_id");
    let hinted = hint.as_ref().map(|hint| hint.aud.as_str());
    if named.is_some() && hinted.is_some() && named != hinted {
        return Ok(Err(
            "The application that sent you here contradicts itself about which one it is.",
        ));
    }
    let client = match hinted.or(named) {
        Some(id) => store::find_client(&state.db.system, scope, id).await?,
        None => None,
    };
    let return_to = parameters.get("post_logout_redirect_uri").map(str::to_owned);
    if let Some(uri) = &return_to
        && !client.as_ref().is_some_and(|client| client.may_return_to(uri))
    {
        return Ok(Err(
            "The application that sent you here asked to return to an address that is not registered.",
        ));
    }
    Ok(Ok(LogoutRequest {
        hint,
        client,
        return_to,
    }))
}

fn is_of(hint: &HintClaims, session: &Session) -> bool {
    hint.sid == session.id && hint.sub == session.user && hint.tenant == session.tenant
}

async fn hinted_session(
    state: &State,
    scope: &mut Scope,
    request: &LogoutRequest,
) -> Result<Option<Session>, Problem> {
    let Some(hint) = &request.hint else {
        return Ok(None);
    };
    let session = store::find_session_by_id(&state.db.system, scope, hint.tenant, hint.sid).await?;
    Ok(session.filter(|session| is_of(hint, session)))
}

fn ask(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters<LogoutParameters>,
    request: &LogoutRequest,
) -> Result<Response, Problem> {
    let csrf = csrf::issue(state.cookies, headers).map_err(|e| Problem::internal(&e))?;
    let kept = |name: &'static str| parameters.get(name).map(|value| (name, value));
    let page = LogoutPage {
        client: request.client.as_ref().map(|client| client.name.as_str()),
        redirect_uri: request.return_to.as_deref(),
        csrf: &csrf.token,
        fields: KEPT.into_iter().filter_map(kept).collect(),
    };
    let mut response = state.pages.logout(super::texts(headers), &page);
    if let Some(cookie) = csrf.set_cookie {
        set_cookie(&mut response, &cookie);
    }
    Ok(response)
}

fn done(
    state: &State,
    parameters: &Parameters<LogoutParameters>,
    request: &LogoutRequest,
) -> Result<Response, Problem> {
    Ok(match (&request.return_to, parameters.get("state")) {
        (Some(uri), Some(text)) => {
            see_other(&with_query(uri, &[("state", text)]).map_err(|e| Problem::internal(&e))?)
        }
        (Some(uri), None) => see_other(uri),
        (None, _) => state.pages.message(
            "Signed out",
            "You are signed out of Stoa. You can close this page.",
        ),
    })
}
