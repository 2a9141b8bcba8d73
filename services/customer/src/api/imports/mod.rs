//! Imports: a file is sent, looked at, and started as an operation.

mod errors;
mod errors_csv;
mod get;
mod start;
mod upload;

use super::TAG;
use crate::import::StoredUpload;
use crate::store::import;
use crate::{App, ImportCustomers, SERVICE};
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_eventlog::jobs::View;
use stoa_kernel::{Allowed, Problem};
use stoa_types::{OperationId, UploadId};

/// What a 404 says is missing.
const WHAT: &str = "upload";

pub(super) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/api/customers/imports", post_with(upload::handle, upload::docs))
        .api_route("/api/customers/imports/{id}", get_with(get::handle, get::docs))
        .api_route(
            "/api/customers/imports/{id}/start",
            post_with(start::handle, start::docs),
        )
        .api_route(
            "/api/customers/imports/{id}/errors",
            get_with(errors::handle, errors::docs),
        )
        .api_route(
            "/api/customers/imports/{id}/errors.csv",
            get_with(errors_csv::handle, errors_csv::docs),
        )
}

/// Whose files the caller sees: the sender's name, and whether everybody's.
fn visible(allowed: &Allowed<ImportCustomers>) -> (String, bool) {
    (allowed.scope.actor().to_string(), allowed.rows(None).is_all())
}

/// Reads a file that the caller sees.
async fn find(
    allowed: &mut Allowed<ImportCustomers>,
    app: &App,
    id: UploadId,
) -> Result<StoredUpload, Problem> {
    let (sender, all) = visible(allowed);
    let mut tx = app.db.begin(&mut allowed.scope);
    import::find_upload(&mut tx, id, sender, all);
    let rows = tx.commit().await?;
    import::upload(rows.first().map_or(&[], |r| r))?.ok_or_else(|| Problem::not_found(WHAT))
}

/// A file, and which of its operations is meant: the named one, if the caller sees it, else the last.
async fn with_operation(
    allowed: &mut Allowed<ImportCustomers>,
    app: &App,
    id: UploadId,
    named: Option<OperationId>,
) -> Result<(StoredUpload, Option<OperationId>), Problem> {
    let stored = find(allowed, app, id).await?;
    if let Some(named) = named {
        let view = if allowed.rows(None).is_all() {
            View::all(SERVICE)
        } else {
            View::own(SERVICE, &allowed.scope)
        };
        view.find(app.db.begin(&mut allowed.scope), named).await?;
    }
    let operation = named.or(stored.operation_id);
    Ok((stored, operation))
}

/// Which operation of a file is meant.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct OfOperation {
    /// One of the operations that were started with the file; the last one unless given.
    operation: Option<OperationId>,
}
