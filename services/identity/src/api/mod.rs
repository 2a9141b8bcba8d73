//! The endpoints: one file each.

mod authorize;
mod choose_password;
mod discovery;
mod forgot;
mod jwks;
mod login;
mod logout;
mod revoke;
mod token;
mod userinfo;
mod verify_email;

use crate::authorization::{ErrorRedirect, Refusal, with_query};
use crate::csrf::Csrf;
use crate::language::Language;
use crate::state::State;
use crate::texts::Texts;
use aide::axum::ApiRouter;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use stoa_kernel::Problem;

const TAG: &str = "Sign-in";

/// Every route of the service.
pub(crate) fn routes() -> ApiRouter<State> {
    ApiRouter::new()
        .merge(discovery::routes())
        .merge(jwks::routes())
        .merge(authorize::routes())
        .merge(login::routes())
        .merge(token::routes())
        .merge(userinfo::routes())
        .merge(revoke::routes())
        .merge(logout::routes())
        .merge(choose_password::routes())
        .merge(forgot::routes())
        .merge(verify_email::routes())
}

/// The texts in the browser's language.
fn texts(headers: &HeaderMap) -> &'static Texts {
    Texts::of(Language::of_request(headers))
}

/// The form was not made for this browser, or its cookie is gone.
fn form_expired(state: &State, headers: &HeaderMap) -> Response {
    let t = texts(headers);
    state
        .pages
        .refused(t, StatusCode::FORBIDDEN, &t.form_expired, None)
}

/// A link of a mail that is used, too old, or was never ours.
fn dead_link(state: &State, headers: &HeaderMap) -> Response {
    let t = texts(headers);
    let next = Some(("/auth/forgot", t.new_link));
    state.pages.refused(t, StatusCode::GONE, &t.dead_link, next)
}

/// Adds the cookie that a form's token is bound to, unless the browser has it.
fn with_csrf_cookie(mut response: Response, csrf: &Csrf) -> Response {
    if let Some(cookie) = &csrf.set_cookie {
        set_cookie(&mut response, cookie);
    }
    response
}

/// A redirect after which the browser GETs (BCP 240, section 4.12: never 307, which would send a form again).
fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Problem::internal(&std::io::Error::other("a redirect target is not a header value"))
            .into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Sends an answer back to the client, with the issuer that it must compare (RFC 9207).
fn answer_client(
    state: &State,
    redirect_uri: &str,
    answer: &[(&str, &str)],
    request_state: Option<&str>,
) -> Response {
    let mut parameters = answer.to_vec();
    if let Some(request_state) = request_state {
        parameters.push(("state", request_state));
    }
    parameters.push(("iss", &state.issuer));
    match with_query(redirect_uri, &parameters) {
        Ok(location) => see_other(&location),
        Err(error) => state.pages.problem(&Problem::internal(&error)),
    }
}

fn refuse(state: &State, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Page(text) => {
            let title = "This sign-in link does not work";
            let next =
                "Go back to the application and try again; if this page returns, tell those who run it.";
            state
                .pages
                .refusal(StatusCode::BAD_REQUEST, title, &format!("{text} {next}"))
        }
        Refusal::Redirect(redirect) => refuse_by_redirect(state, redirect),
    }
}

fn refuse_by_redirect(state: &State, redirect: &ErrorRedirect) -> Response {
    let answer = [
        ("error", redirect.error),
        ("error_description", redirect.description),
    ];
    answer_client(state, &redirect.redirect_uri, &answer, redirect.state.as_deref())
}
