//! The management of routes: `/api/admin/routes`.

mod create;
mod delete;
mod get;
mod list;
mod platform;
mod rollback;
mod update;

use crate::model::{Route, RouteSpec, Rules};
use crate::store;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use stoa_kernel::db::Pools;
use stoa_kernel::http::IfMatch;
use stoa_kernel::{Clock, Database, Problem, Scope, ServiceContext, TenantTx};
use uuid::Uuid;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct State {
    db: Pools,
    clock: Clock,
    /// Every service that a route may lead to.
    services: Arc<[&'static str]>,
    private_upstreams: bool,
}

/// Parameters of a write.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WriteQuery {
    /// Take paths over from the platform's own routes, for this tenant's callers.
    #[serde(default)]
    force: bool,
}

impl State {
    pub(crate) fn new(context: &ServiceContext) -> Self {
        let mut services: Vec<&'static str> = context
            .catalogue
            .paths
            .iter()
            .map(|(_, service)| *service)
            .collect();
        services.sort_unstable();
        services.dedup();
        Self {
            db: context.db.clone(),
            clock: context.clock.clone(),
            services: services.into(),
            private_upstreams: context.config.server.private_upstreams,
        }
    }

    /// Checks a route before it is published.
    async fn check(&self, scope: &mut Scope, spec: &RouteSpec, force: bool) -> Result<(), Problem> {
        let platform: Vec<Route> = store::platform_routes(&self.db.system, scope).await?;
        let errors = spec.check(&Rules {
            services: &self.services,
            private_upstreams: self.private_upstreams,
            platform: &platform,
            force,
        });
        if errors.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(errors))
    }
}

/// Who acts, for the columns that record it.
fn actor(scope: &Scope) -> String {
    scope
        .user()
        .map_or_else(|| "system".to_owned(), |user| user.to_string())
}

/// Begins the change of a route: takes the next revision and reads the route, which must be at the client's version.
async fn begin_change<'s>(
    db: &Database,
    scope: &'s mut Scope,
    id: Uuid,
    if_match: IfMatch,
) -> Result<(TenantTx<'s>, i64, Route), Problem> {
    let mut tx = db.begin(scope);
    let (revision, route) = store::open_route(&mut tx, id).await?;
    let refusal = match route {
        Some(route) => match if_match.check(route.version) {
            Ok(()) => return Ok((tx, revision, route)),
            Err(stale) => stale,
        },
        None => Problem::not_found("route"),
    };
    tx.rollback().await;
    Err(refusal)
}

/// The endpoints.
pub(crate) fn routes() -> ApiRouter<crate::Shared> {
    ApiRouter::new()
        .api_route(
            "/api/admin/routes",
            get_with(list::list, list::describe).post_with(create::create, create::describe),
        )
        .api_route(
            "/api/admin/routes/platform",
            get_with(platform::list, platform::describe),
        )
        .api_route(
            "/api/admin/routes/rollback",
            post_with(rollback::rollback, rollback::describe),
        )
        .api_route(
            "/api/admin/routes/{id}",
            get_with(get::get, get::describe)
                .put_with(update::update, update::describe)
                .delete_with(delete::delete, delete::describe),
        )
}
