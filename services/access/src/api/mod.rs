//! The routes. One endpoint a file: `handler` and its `docs`.

mod assignments;
mod authzen;
mod changes;
mod decisions;
mod grants;
mod permissions;
mod roles;
mod rules;

use crate::App;
use crate::store::{Results, Statement, grant, role};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
pub(crate) use decisions::user::permissions_of;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_types::{AssignmentId, GrantId, RoleId, RuleId, UserId};

/// All routes.
pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/iam/permissions",
            get_with(permissions::handler, permissions::docs),
        )
        .api_route(
            "/api/iam/roles",
            get_with(roles::list::handler, roles::list::docs)
                .post_with(roles::create::handler, roles::create::docs),
        )
        .api_route(
            "/api/iam/roles/{id}",
            get_with(roles::get::handler, roles::get::docs)
                .put_with(roles::update::handler, roles::update::docs)
                .delete_with(roles::delete::handler, roles::delete::docs),
        )
        .api_route(
            "/api/iam/roles/{id}/grants",
            get_with(grants::list::handler, grants::list::docs)
                .post_with(grants::create::handler, grants::create::docs),
        )
        .api_route(
            "/api/iam/roles/{id}/grants/{grantId}",
            get_with(grants::get::handler, grants::get::docs)
                .delete_with(grants::delete::handler, grants::delete::docs),
        )
        .api_route(
            "/api/iam/endpoint-rules",
            get_with(rules::list::handler, rules::list::docs)
                .post_with(rules::create::handler, rules::create::docs),
        )
        .api_route(
            "/api/iam/endpoint-rules/effective",
            get_with(rules::effective::handler, rules::effective::docs),
        )
        .api_route(
            "/api/iam/endpoint-rules/{id}",
            get_with(rules::get::handler, rules::get::docs)
                .put_with(rules::update::handler, rules::update::docs)
                .delete_with(rules::delete::handler, rules::delete::docs),
        )
        .api_route(
            "/api/iam/assignments",
            get_with(assignments::list::handler, assignments::list::docs)
                .post_with(assignments::create::handler, assignments::create::docs),
        )
        .api_route(
            "/api/iam/assignments/{id}",
            get_with(assignments::get::handler, assignments::get::docs)
                .delete_with(assignments::delete::handler, assignments::delete::docs),
        )
        .api_route(
            "/api/iam/users/{id}/branch",
            put_with(assignments::branch::handler, assignments::branch::docs),
        )
        .api_route("/api/iam/changes", get_with(changes::handler, changes::docs))
        .api_route(
            "/api/iam/permissions/check",
            post_with(decisions::check::handler, decisions::check::docs),
        )
        .api_route(
            "/api/iam/permissions/user/{id}",
            get_with(decisions::user::handler, decisions::user::docs),
        )
        .api_route(
            "/api/iam/auth/token/validate",
            post_with(decisions::token::handler, decisions::token::docs),
        )
        .api_route(
            "/api/iam/cache/invalidate",
            post_with(decisions::invalidate::handler, decisions::invalidate::docs),
        )
        .merge(authzen::routes())
}

#[derive(Deserialize, JsonSchema)]
struct RolePath {
    /// The role.
    id: RoleId,
}

#[derive(Deserialize, JsonSchema)]
struct GrantPath {
    /// The role.
    id: RoleId,
    /// The grant.
    #[serde(rename = "grantId")]
    grant: GrantId,
}

#[derive(Deserialize, JsonSchema)]
struct RulePath {
    /// The endpoint rule.
    id: RuleId,
}

#[derive(Deserialize, JsonSchema)]
struct AssignmentPath {
    /// The assignment.
    id: AssignmentId,
}

#[derive(Deserialize, JsonSchema)]
struct UserPath {
    /// The user.
    id: UserId,
}

/// The reads from which [`administration`] works out who administers the tenant.
pub(crate) fn administration_reads() -> [Statement; 2] {
    [role::all(), grant::of_administration()]
}

pub(crate) fn administration(
    results: &mut Results,
) -> Result<(Vec<crate::model::Role>, Vec<crate::model::Grant>), stoa_kernel::DbError> {
    Ok((results.all(role::read)?, results.all(grant::read)?))
}
