//! `GET /api/contacts/{id}/customers`

use crate::model::{Link, SCHEMA};
use crate::{App, ReadContacts, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{ContactId, Page};

/// There is nothing to choose; a parameter is a mistake.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listContactCustomers")
        .tag(super::TAG)
        .summary("List the customers of a contact")
        .description(
            "All of them on one page, in the order in which they were linked: a contact has at most 50.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadContacts>,
    State(app): State<App>,
    Path(id): Path<ContactId>,
    Query(Parameters {}): Query<Parameters>,
) -> Result<Json<Page<Link>>, Problem> {
    let mut visible = Select::new(store::LIVE);
    let param = visible.param(id.uuid());
    visible.and(&format!("id = {param}"));
    visible.and_rows(&allowed.rows(None), &SCHEMA);

    // Both in one flush; what is read of an invisible contact goes no further.
    let mut tx = app.db.begin(&mut allowed.scope);
    visible.defer(&mut tx);
    store::find_links(id).defer(&mut tx);
    let rows = tx.commit().await?;
    if store::rows_at(&rows, 0)?.is_empty() {
        return Err(Problem::not_found(super::CONTACT));
    }
    Ok(Json(Page {
        items: store::links(store::rows_at(&rows, 1)?)?,
        next_cursor: None,
    }))
}
