//! `GET|POST /auth/verify`: confirming an address by a link that was mailed there. Only the button uses the link up.

use super::{dead_link, form_expired, texts, with_csrf_cookie};
use crate::mail::Purpose;
use crate::mail::store;
use crate::pages::VerificationPage;
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::{csrf, secret};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::response::{Html, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use stoa_kernel::Problem;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the parameters; Parameters reads them")]
struct VerifyQuery {
    /// What the link in the mail carries.
    token: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct VerifyForm {
    /// What the link in the mail carries.
    token: String,
    /// The form's token, bound to a cookie.
    csrf: String,
}

pub(super) fn routes() -> ApiRouter<State> {
    ApiRouter::new().api_route(
        Purpose::Verification.path(),
        get_with(show, |op| {
            op.id("showVerification")
                .tag(super::TAG)
                .summary("The page on which a user confirms an e-mail address")
                .response::<200, Html<String>>()
                .response_with::<410, Html<String>, _>(|res| {
                    res.description("The link does not work any more")
                })
        })
        .post_with(submit, |op| {
            op.id("verifyEmail")
                .tag(super::TAG)
                .summary("Confirm an e-mail address: it becomes the sign-in name")
                .response_with::<200, Html<String>, _>(|res| res.description("Confirmed"))
                .response_with::<409, Html<String>, _>(|res| {
                    res.description("Somebody else signs in with it")
                })
                .response_with::<410, Html<String>, _>(|res| {
                    res.description("The link does not work any more")
                })
        }),
    )
}

async fn show(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    parameters: Parameters<VerifyQuery>,
) -> Response {
    let answer = ask(
        &state,
        &context,
        &headers,
        parameters.get("token").unwrap_or_default(),
    )
    .await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn ask(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    token: &str,
) -> Result<Response, Problem> {
    if !secret::is_well_formed(token) {
        return Ok(dead_link(state, headers));
    }
    let (hash, now) = (secret::hash(token), state.clock.now());
    let mut scope = state.scope(context);
    let found = store::find_token(&state.db.system, &mut scope, &hash, Purpose::Verification, now).await?;
    let Some(owner) = found else {
        return Ok(dead_link(state, headers));
    };
    let csrf = csrf::issue(state.cookies, headers).map_err(|e| Problem::internal(&e))?;
    let page = VerificationPage {
        token,
        csrf: &csrf.token,
        email: &owner.email,
    };
    let response = state.pages.verification(texts(headers), &page);
    Ok(with_csrf_cookie(response, &csrf))
}

async fn submit(
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<VerifyForm>,
) -> Response {
    let answer = confirm(&state, &context, &headers, &form).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn confirm(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    form: &Parameters<VerifyForm>,
) -> Result<Response, Problem> {
    if !csrf::check(state.cookies, headers, form.get("csrf")) {
        return Ok(form_expired(state, headers));
    }
    let token = form.get("token").unwrap_or_default();
    if !secret::is_well_formed(token) {
        return Ok(dead_link(state, headers));
    }
    let t = texts(headers);
    let mut scope = state.scope(context);
    let (hash, now) = (secret::hash(token), state.clock.now());
    match store::verify(&state.db.system, &mut scope, &hash, now).await {
        Ok(true) => Ok(state.pages.done(t, &t.verified, Some(("/login", t.sign_in)))),
        Ok(false) => Ok(dead_link(state, headers)),
        Err(error) if error.constraint() == Some("account_email_live") => {
            Ok(state
                .pages
                .refused(t, StatusCode::CONFLICT, &t.address_taken, None))
        }
        Err(error) => Err(error.into()),
    }
}
