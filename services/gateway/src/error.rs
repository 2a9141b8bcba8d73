//! What the route API refuses, beyond what every endpoint does.

use stoa_kernel::{DbError, FieldError, Problem};

/// The schema's constraints in words.
pub(crate) fn of_db(error: DbError) -> Problem {
    match error.constraint() {
        Some("route_name") => Problem::invalid(vec![FieldError::new(
            "/name",
            "unique",
            "another route of this tenant has this name",
        )]),
        _ => error.into(),
    }
}

/// 409: the tenant owns the most routes it may.
pub(crate) fn too_many_routes() -> Problem {
    Problem::conflict(
        "routes.too_many",
        format!(
            "a tenant has at most {} routes; remove some first",
            crate::model::MAX_ROUTES
        ),
    )
}

/// 409: there is no such revision to go back to.
pub(crate) fn no_revision(wanted: i64, current: i64) -> Problem {
    Problem::conflict(
        "routes.no_such_revision",
        format!("cannot go back to revision {wanted}; the routes are at revision {current}"),
    )
}
