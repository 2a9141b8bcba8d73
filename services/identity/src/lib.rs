#![doc = include_str!("../README.md")]

mod accounts;
mod api;
mod authorization;
mod calls;
mod client;
mod cookies;
mod csrf;
mod error;
mod grants;
mod keys;
mod language;
mod mail;
mod maintenance;
mod model;
mod pages;
mod parameters;
mod password_rules;
mod passwords;
mod pkce;
mod reset_requests;
mod secret;
mod sign_in;
mod state;
mod store;
mod texts;
mod tokens;
mod verify;

use futures::future::BoxFuture;
use state::State;
use stoa_kernel::migrate::SeedStatement;
use stoa_kernel::service::{Catalogue, Running};
use stoa_kernel::{Service, ServiceContext, migrations, openapi, params};

/// The service's name.
pub const SERVICE: &str = "identity";

const SYSTEM_SCOPES: &[&str] = &[
    state::LOGIN.name(),
    keys::KEYS.name(),
    tokens::DESCRIBE.name(),
    reset_requests::RESET.name(),
];

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: migrations!["0001_init", "0002_users_and_mail"],
        permissions: &[],
        resources: &[],
        system_scopes: SYSTEM_SCOPES,
        paths: &["/.well-known", "/oauth2", "/login", "/logout", "/auth"],
        openapi: || openapi::describe(api::routes()),
        seed: Some(seed),
        start,
    }
}

fn start(context: ServiceContext) -> BoxFuture<'static, anyhow::Result<Running>> {
    Box::pin(async move {
        let state = State::new(&context)?;
        state.keys.refuse_demo().await?;
        if state.mailer.is_none() {
            tracing::warn!("mails wait: set mail.smtp_host (docs/configuration.md)");
        }
        Ok(Running::new(api::routes(), state.clone())
            .with_calls(calls::calls(&state))
            .with_task(accounts::consumer(&context, &state))
            .with_task(accounts::worker(&context, &state))
            .with_task(mail::worker(&context, &state))
            .with_task(reset_requests::task(state.clone()))
            .with_task(maintenance::task(state)))
    })
}

/// The command-line client: a native app, which listens on a loopback port of its choice (RFC 8252, section 7.3).
fn seed(_: &Catalogue) -> Vec<SeedStatement> {
    let uris: Vec<String> = ["http://127.0.0.1/callback", "http://[::1]/callback"]
        .map(str::to_owned)
        .to_vec();
    vec![SeedStatement {
        sql: store::SEED_CLIENTS,
        params: params![uris],
    }]
}
