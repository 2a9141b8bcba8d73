//! `/api/users/{id}/roles` and `…/permissions`: what a user holds. The access service keeps it, and decides whether the
//! caller may change it.

mod assign;
mod list;
mod permissions;
mod withdraw;

use crate::api::users::WHAT;
use crate::model::{SCHEMA, User};
use crate::{App, AssignRoles, ReadUsers, store};
use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with};
use axum::response::Response;
use http::HeaderMap;
use std::ops::ControlFlow;
use stoa_kernel::db::Select;
use stoa_kernel::idempotency::Command;
use stoa_kernel::{Allowed, Problem};
use stoa_types::UserId;

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/users/{id}/roles",
            get_with(list::handle, list::docs).post_with(assign::handle, assign::docs),
        )
        .api_route(
            "/api/users/{id}/roles/{roleId}",
            delete_with(withdraw::handle, withdraw::docs),
        )
        .api_route(
            "/api/users/{id}/permissions",
            get_with(permissions::handle, permissions::docs),
        )
}

/// Whether a repeat of the request can be told by its key.
fn is_keyed(headers: &HeaderMap) -> bool {
    headers.contains_key("idempotency-key")
}

/// Refuses what the caller does not see.
async fn check_visible(app: &App, allowed: &mut Allowed<ReadUsers>, id: UserId) -> Result<(), Problem> {
    let mut select = Select::new(store::LIVE);
    let id = select.param(id.uuid());
    select.and(&format!("id = {id}"));
    select.and_rows(&allowed.rows(None), &SCHEMA);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    if rows.is_empty() {
        return Err(Problem::not_found(WHAT));
    }
    Ok(())
}

/// The user whose roles the caller wants to change and may, or the answer of the first time. The transaction has ended:
/// the access service is called next.
async fn judged(
    app: &App,
    command: &Command<'_>,
    allowed: &mut Allowed<AssignRoles>,
    id: UserId,
) -> Result<ControlFlow<Response, User>, Problem> {
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| store::find(tx, id))
        .await?;
    let verdict = allowed.rights.find::<ReadUsers, _>(store::first(&rows)?, WHAT);
    Ok(match begun.judged(verdict).await? {
        ControlFlow::Continue((tx, user)) => {
            tx.rollback().await;
            ControlFlow::Continue(user)
        }
        ControlFlow::Break(answer) => ControlFlow::Break(answer),
    })
}
