//! `GET|POST /auth/forgot`: asking for a new password. The answer and its time are the same whether there is an account
//! or not.

use super::{form_expired, texts, with_csrf_cookie};
use crate::model::{is_email, normalise_email, reset_backoff};
use crate::pages::ForgotPage;
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::{csrf, sign_in, store};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::response::{Html, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use stoa_kernel::Problem;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct ForgotForm {
    /// The sign-in name.
    email: String,
    /// The form's token, bound to a cookie.
    csrf: String,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        "/auth/forgot",
        get_with(show, |op| {
            op.id("showForgot")
                .tag(super::TAG)
                .summary("The page on which a user asks for a new password")
                .response::<200, Html<String>>()
        })
        .post_with(submit, |op| {
            op.id("forgotPassword")
                .tag(super::TAG)
                .summary("Ask for a new password")
                .description("The answer is the same whether somebody signs in with the address or not.")
                .response_with::<200, Html<String>, _>(|res| {
                    res.description("A mail goes to the address, if it is known")
                })
                .response_with::<422, Html<String>, _>(|res| res.description("Not an e-mail address"))
                .response_with::<429, Html<String>, _>(|res| res.description("Too many tries"))
        }),
    )
}

async fn show(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    headers: HeaderMap,
) -> Response {
    page(&state, &headers, StatusCode::OK, "", None).unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn submit(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<ForgotForm>,
) -> Response {
    let answer = request(&state, &context, &headers, &form).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn request(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    form: &Parameters<ForgotForm>,
) -> Result<Response, Problem> {
    if !csrf::check(state.cookies, headers, form.get("csrf")) {
        return Ok(form_expired(state, headers));
    }
    let t = texts(headers);
    let email = normalise_email(form.get("email").unwrap_or_default());
    if !is_email(&email) {
        return page(
            state,
            headers,
            StatusCode::UNPROCESSABLE_ENTITY,
            &email,
            Some(t.not_an_address),
        );
    }
    let mut scope = state.scope(context);
    let key = sign_in::reset_throttle_key(&email);
    let now = state.clock.now();
    let blocked = store::blocked_until(&state.db.system, &mut scope, &key).await?;
    if let Some(until) = blocked.filter(|until| *until > now) {
        let seconds = until.duration_since(now).as_secs().max(1);
        let wait = t.wait(seconds);
        let mut response = page(state, headers, StatusCode::TOO_MANY_REQUESTS, &email, Some(&wait))?;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(response);
    }
    store::record_try(&state.db.system, &mut scope, &key, now, reset_backoff).await?;
    if !state.resets.take(email) {
        let busy = "too many people ask for a new password at the moment; try again shortly";
        return Err(Problem::unavailable(busy));
    }
    Ok(state.pages.done(t, &t.mail_sent, None))
}

fn page(
    state: &State,
    headers: &HeaderMap,
    status: StatusCode,
    email: &str,
    error: Option<&str>,
) -> Result<Response, Problem> {
    let csrf = csrf::issue(state.cookies, headers).map_err(|e| Problem::internal(&e))?;
    let page = ForgotPage {
        csrf: &csrf.token,
        email,
        error,
    };
    let response = state.pages.forgot(texts(headers), status, &page);
    Ok(with_csrf_cookie(response, &csrf))
}
