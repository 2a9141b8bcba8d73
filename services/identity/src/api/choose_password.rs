//! `GET|POST /auth/invitation` and `/auth/reset`: choosing a password by a link that was mailed.
//!
//! Showing the page uses nothing up, since mail scanners follow links, too.

use super::{dead_link, form_expired, texts, with_csrf_cookie};
use crate::mail::Purpose;
use crate::mail::store::{self, ChosenPassword, LinkOwner};
use crate::pages::PasswordPage;
use crate::parameters::{FormParameters, Parameters};
use crate::state::State;
use crate::{csrf, password_rules, secret, sign_in};
use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::response::{Html, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use stoa_kernel::allowed::Public;
use stoa_kernel::request::RequestContext;
use stoa_kernel::{Problem, Scope};
use zeroize::Zeroizing;

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the parameters; Parameters reads them")]
struct LinkQuery {
    /// What the link in the mail carries.
    token: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "documents the form; FormParameters reads it")]
struct PasswordForm {
    /// What the link in the mail carries.
    token: String,
    /// The new password: 12 to 200 characters, not a common one.
    password: String,
    /// The same again.
    repeat: String,
    /// The form's token, bound to a cookie.
    csrf: String,
}

pub(super) fn routes() -> ApiRouter<State> {
    let invitation = get_with(
        |state, public, context, headers, query| {
            show(Purpose::Invitation, state, public, context, headers, query)
        },
        |op| {
            show_docs(
                op,
                "showInvitation",
                "The page on which an invited user chooses a password",
            )
        },
    )
    .post_with(
        |state, public, context, headers, form| {
            submit(Purpose::Invitation, state, public, context, headers, form)
        },
        |op| submit_docs(op, "acceptInvitation", "Choose the first password"),
    );
    let reset = get_with(
        |state, public, context, headers, query| show(Purpose::Reset, state, public, context, headers, query),
        |op| {
            show_docs(
                op,
                "showReset",
                "The page on which a user chooses another password",
            )
        },
    )
    .post_with(
        |state, public, context, headers, form| submit(Purpose::Reset, state, public, context, headers, form),
        |op| {
            submit_docs(
                op,
                "resetPassword",
                "Choose another password; ends every session of the user",
            )
        },
    );
    ApiRouter::new()
        .api_route(Purpose::Invitation.path(), invitation)
        .api_route(Purpose::Reset.path(), reset)
}

fn show_docs<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary(summary)
        .response::<200, Html<String>>()
        .response_with::<410, Html<String>, _>(|res| res.description("The link does not work any more"))
}

fn submit_docs<'t>(op: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    op.id(id)
        .tag(super::TAG)
        .summary(summary)
        .response_with::<200, Html<String>, _>(|res| res.description("The password is set"))
        .response_with::<410, Html<String>, _>(|res| res.description("The link does not work any more"))
        .response_with::<422, Html<String>, _>(|res| res.description("The password breaks a rule"))
}

async fn show(
    purpose: Purpose,
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    parameters: Parameters<LinkQuery>,
) -> Response {
    let token = parameters.get("token").unwrap_or_default();
    let answer = async {
        let Some(owner) = owner(&state, &mut state.scope(&context), token, purpose).await? else {
            return Ok(dead_link(&state, &headers));
        };
        page(&state, &headers, purpose, &owner, token, None)
    };
    answer
        .await
        .unwrap_or_else(|problem: Problem| state.pages.problem(&problem))
}

async fn submit(
    purpose: Purpose,
    axum::extract::State(state): axum::extract::State<State>,
    _: Public,
    context: RequestContext,
    headers: HeaderMap,
    FormParameters(form): FormParameters<PasswordForm>,
) -> Response {
    let answer = choose(&state, &context, &headers, purpose, &form).await;
    answer.unwrap_or_else(|problem| state.pages.problem(&problem))
}

async fn choose(
    state: &State,
    context: &RequestContext,
    headers: &HeaderMap,
    purpose: Purpose,
    form: &Parameters<PasswordForm>,
) -> Result<Response, Problem> {
    if !csrf::check(state.cookies, headers, form.get("csrf")) {
        return Ok(form_expired(state, headers));
    }
    let mut scope = state.scope(context);
    let token = form.get("token").unwrap_or_default();
    let Some(owner) = owner(state, &mut scope, token, purpose).await? else {
        return Ok(dead_link(state, headers));
    };
    let t = texts(headers);
    let password = Zeroizing::new(form.get("password").unwrap_or_default().to_owned());
    if let Err(fault) = password_rules::check(&password, &owner.email, &owner.name) {
        return page(state, headers, purpose, &owner, token, Some(t.fault(fault)));
    }
    if form.get("repeat") != Some(password.as_str()) {
        return page(state, headers, purpose, &owner, token, Some(t.not_the_same));
    }
    // Before the link is used up: a hash takes its time, and may be refused.
    let password_hash = state.passwords.hash(password).await.map_err(sign_in::problem)?;
    let chosen = ChosenPassword {
        token_hash: secret::hash(token),
        purpose,
        password_hash,
        forgive: vec![
            sign_in::throttle_key(&owner.email),
            sign_in::reset_throttle_key(&owner.email),
        ],
        now: state.clock.now(),
    };
    if !store::choose_password(&state.db.system, &mut scope, chosen).await? {
        return Ok(dead_link(state, headers));
    }
    metrics::counter!("stoa_identity_passwords_chosen_total", "by" => purpose.word()).increment(1);
    Ok(state.pages.done(t, &t.password_set, Some(("/login", t.sign_in))))
}

async fn owner(
    state: &State,
    scope: &mut Scope,
    token: &str,
    purpose: Purpose,
) -> Result<Option<LinkOwner>, Problem> {
    if !secret::is_well_formed(token) {
        return Ok(None);
    }
    let (hash, now) = (secret::hash(token), state.clock.now());
    Ok(store::find_token(&state.db.system, scope, &hash, purpose, now).await?)
}

fn page(
    state: &State,
    headers: &HeaderMap,
    purpose: Purpose,
    owner: &LinkOwner,
    token: &str,
    error: Option<&str>,
) -> Result<Response, Problem> {
    let t = texts(headers);
    let csrf = csrf::issue(state.cookies, headers).map_err(|e| Problem::internal(&e))?;
    let status = match error {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = PasswordPage {
        notice: match purpose {
            Purpose::Invitation => &t.invitation,
            Purpose::Reset | Purpose::Verification => &t.reset,
        },
        action: purpose.path(),
        token,
        csrf: &csrf.token,
        email: &owner.email,
        error,
    };
    Ok(with_csrf_cookie(state.pages.password(t, status, &page), &csrf))
}
