//! `GET /api/customers/fields`

use crate::model::Field;
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Parameters {
    /// Items per page, 1 to 100; 100 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `key` (default), with `-` in front for descending.
    sort: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerFields")
        .tag(super::TAG)
        .summary("List the custom fields of customers")
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Page<Field>>, Problem> {
    let query = ListQuery {
        limit: parameters.limit.or(Some(100)),
        cursor: parameters.cursor,
        sort: parameters.sort,
    };
    let plan = query.plan(store::FIELD_SORT)?;
    let mut select = Select::new(if parameters.archived {
        store::ARCHIVED_FIELDS
    } else {
        store::LIVE_FIELDS
    });
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(plan.page(store::fields(&rows)?, |field| {
        (field.key.clone(), field.id.uuid())
    })))
}
