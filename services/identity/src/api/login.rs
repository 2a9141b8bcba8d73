//! `GET|POST /login`: the sign-in page. Sending it goes on with the authorization request that led here: the password
//! was asked for just now, so `prompt=login` and `max_age` are met by construction.

use super::authorize::{answer_code, read};
use super::{form_expired, refuse, set_cookie, texts};
use crate::authorization::{AuthorizationRequest, Refusal};
use crate::cookies::Cookie;
use crate::pages::LoginPage;
use crate::parameters::{FormParameters, Parameters};
use crate::sign_in::{self, Attempt};
use crate::state::State;
use crate::{csrf, grants};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;
use stoa_kernel::{Problem, Scope};
use zeroize::Zeroizing;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the parameters; Parameters reads them")]
struct LoginQuery {
    /// The authorization request to go on with, as a query string.
    request: Option<String>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct LoginForm {
    /// The sign-in name.
    email: String,
    /// The password.
    password: String,
    /// The form's token, bound to a cookie.
    csrf: String,
    /// The authorization request to go on with, as a query string.
    request: Option<String>,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/login",
        get_with(show, |op| {
            op.id("showLogin")
                .tag(super::TAG)
                .summary("The sign-in page")
                .response::<200, axum::response::Html<String>>()
        })
        .post_with(submit, |op| {
            op.id("login")
                .tag(super::TAG)
                .summary("Sign in with e-mail and password")
                .response_with::<303, (), _>(|res| res.description("Signed in; back to the client"))
                .response_with::<422, axum::response::Html<String>, _>(|res| res.description("Not signed in"))
                .response_with::<429, axum::response::Html<String>, _>(|res| {
                    res.description("Too many tries")
                })
        }),
    )
}

async fn show(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    parameters: Parameters<LoginQuery>,
) -> Response {
    let page = async {
        let mut scope = state.scope(&context);
        let query = parameters.get("request").unwrap_or_default();
        let request = match continuation(&state, &mut scope, query).await? {
            Ok(request) => request,
            Err(refusal) => return Ok(refuse(&state, &refusal)),
        };
        let email = request
            .as_ref()
            .and_then(|r| r.login_hint.clone())
            .unwrap_or_default();
        page(
            &state,
            &headers,
            Shown {
                query,
                request: request.as_ref(),
                email: &email,
                refused: None,
            },
        )
    };
    page.await
        .unwrap_or_else(|problem: Problem| state.pages.problem(&problem))
}

async fn submit(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<LoginForm>,
) -> Response {
    let answer = sign_in(&state, &context, &headers, &form).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn sign_in(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    form: &Parameters<LoginForm>,
) -> Result<Response, Problem> {
    if !csrf::check(state.cookies, headers, form.get("csrf")) {
        return Ok(form_expired(state, headers));
    }
    let mut scope = state.scope(context);
    let query = form.get("request").unwrap_or_default();
    let request = match continuation(state, &mut scope, query).await? {
        Ok(request) => request,
        Err(refusal) => return Ok(refuse(state, &refusal)),
    };
    let email = form.get("email").unwrap_or_default();
    let password = Zeroizing::new(form.get("password").unwrap_or_default().to_owned());
    let current = state.session(&mut scope, headers).await?;
    let refused = match sign_in::attempt(state, &mut scope, email, password, current).await? {
        Attempt::SignedIn(session, cookie) => {
            let mut response = match &request {
                Some(request) => {
                    let code = grants::issue_code(state, &mut scope, request, &session).await?;
                    answer_code(state, request, &code)
                }
                None => {
                    let t = texts(headers);
                    state.pages.done(t, &t.signed_in, None)
                }
            };
            set_cookie(&mut response, &state.cookies.set(Cookie::Session, &cookie));
            return Ok(response);
        }
        Attempt::Refused => Refused { retry_after: None },
        Attempt::Blocked(seconds) => Refused {
            retry_after: Some(seconds),
        },
    };
    page(
        state,
        headers,
        Shown {
            query,
            request: request.as_ref(),
            email,
            refused: Some(refused),
        },
    )
}

/// The request to go on with; `None` when somebody opened the page by hand.
async fn continuation(
    state: &State,
    scope: &mut Scope,
    query: &str,
) -> Result<Result<Option<AuthorizationRequest>, Refusal>, Problem> {
    if query.is_empty() {
        return Ok(Ok(None));
    }
    let request = read(state, scope, &Parameters::<()>::of_query(query)).await?;
    Ok(request.map(Some))
}

struct Refused {
    retry_after: Option<i64>,
}

struct Shown<'a> {
    query: &'a str,
    request: Option<&'a AuthorizationRequest>,
    email: &'a str,
    refused: Option<Refused>,
}

fn page(state: &State, headers: &HeaderMap, shown: Shown<'_>) -> Result<Response, Problem> {
    let t = texts(headers);
    let csrf = csrf::issue(state.cookies, headers).map_err(|e| Problem::internal(&e))?;
    let wait = shown.refused.as_ref().and_then(|refused| refused.retry_after);
    let status = match &shown.refused {
        None => StatusCode::OK,
        Some(Refused { retry_after: None }) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Refused { retry_after: Some(_) }) => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut response = state.pages.login(
        t,
        status,
        &LoginPage {
            client: shown.request.map(|request| request.client.name.as_str()),
            redirect_uri: shown.request.map(|request| request.redirect_uri.as_str()),
            request: shown.query,
            csrf: &csrf.token,
            email: shown.email,
            is_refused: shown.refused.is_some(),
            wait: wait.map(|seconds| t.wait(seconds)).as_deref(),
        },
    );
    if let Some(cookie) = csrf.set_cookie {
        set_cookie(&mut response, &cookie);
    }
    if let Some(seconds) = wait {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}
