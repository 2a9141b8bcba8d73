//! The HTTP routes: one endpoint a file, its handler beside its documentation.

mod activities;
mod archive;
mod bulk;
mod create;
mod duplicates;
mod export;
mod fields;
mod get;
mod imports;
mod list;
mod media;
mod merges;
mod operations;
mod patch;
mod restore;
mod search;
mod segments;
mod stats;
mod status;
mod tags;
mod update;

use crate::App;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use stoa_kernel::Problem;

/// The heading in the API's documentation.
const TAG: &str = "Customers";
/// What a 404 says is missing.
const WHAT: &str = "customer";

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/customers",
            get_with(list::handle, list::docs).post_with(create::handle, create::docs),
        )
        .api_route("/api/customers/stats", get_with(stats::handle, stats::docs))
        .api_route("/api/customers/search", post_with(search::handle, search::docs))
        .api_route(
            "/api/customers/duplicates",
            get_with(duplicates::handle, duplicates::docs),
        )
        .merge(definitions())
        .merge(imports::routes())
        .merge(operations::routes())
        .api_route("/api/customers/bulk", post_with(bulk::handle, bulk::docs))
        .api_route("/api/customers/export", get_with(export::handle, export::docs))
        .api_route(
            "/api/customers/{id}",
            get_with(get::handle, get::docs)
                .put_with(update::handle, update::docs)
                .patch_with(patch::handle, patch::docs)
                .delete_with(archive::handle, archive::docs),
        )
        .api_route(
            "/api/customers/{id}/restore",
            post_with(restore::handle, restore::docs),
        )
        .api_route(
            "/api/customers/{id}/status",
            post_with(status::handle, status::docs),
        )
        .api_route(
            "/api/customers/{id}/activities",
            get_with(activities::handle, activities::docs),
        )
        .api_route(
            "/api/customers/{id}/tags",
            post_with(tags::change::handle, tags::change::docs),
        )
        .api_route(
            "/api/customers/{id}/merge",
            post_with(merges::merge::handle, merges::merge::docs),
        )
        .api_route(
            "/api/customers/{id}/merges",
            get_with(merges::list::handle, merges::list::docs),
        )
        .api_route(
            "/api/customers/merges/{id}/undo",
            post_with(merges::undo::handle, merges::undo::docs),
        )
}

/// A refusal of a list's parameters that came in a body: the names become pointers (RFC 6901).
fn in_body(problem: Problem) -> Problem {
    pointing(problem, |pointer| {
        let slash = if pointer.starts_with('/') { "" } else { "/" };
        format!("{slash}{pointer}")
    })
}

/// A refusal whose errors point to where `to` says; the detail of an invalid request names the same place.
fn pointing(mut problem: Problem, to: impl Fn(&str) -> String) -> Problem {
    for error in &mut problem.errors {
        error.pointer = to(&error.pointer);
    }
    if problem.code == "request.invalid" {
        return Problem::invalid(problem.errors);
    }
    problem
}

/// What the tenant defines: tags in use, custom fields, segments.
fn definitions() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/api/customers/tags",
            get_with(tags::list::handle, tags::list::docs),
        )
        .api_route(
            "/api/customers/fields",
            get_with(fields::list::handle, fields::list::docs)
                .post_with(fields::create::handle, fields::create::docs),
        )
        .api_route(
            "/api/customers/fields/{id}",
            get_with(fields::get::handle, fields::get::docs)
                .put_with(fields::update::handle, fields::update::docs)
                .delete_with(fields::archive::handle, fields::archive::docs),
        )
        .api_route(
            "/api/customers/fields/{id}/restore",
            post_with(fields::restore::handle, fields::restore::docs),
        )
        .api_route(
            "/api/customers/segments",
            get_with(segments::list::handle, segments::list::docs)
                .post_with(segments::create::handle, segments::create::docs),
        )
        .api_route(
            "/api/customers/segments/{id}",
            get_with(segments::get::handle, segments::get::docs)
                .put_with(segments::update::handle, segments::update::docs)
                .delete_with(segments::delete::handle, segments::delete::docs),
        )
}
