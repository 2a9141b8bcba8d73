//! `POST /api/customers/search`

use super::list::Wanted;
use crate::conditions::Conditions;
use crate::filter::ConditionBody;
use crate::model::Customer;
use crate::{App, ReadCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::http::{DataScopeParam, Json, ListQuery};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

/// What to search for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(example = &serde_json::json!({
    "where": { "any": [
        { "field": "status", "op": "in", "value": ["lead", "active"] },
        { "field": "tag", "op": "has", "value": "vip" }
    ]},
    "sort": "-revenueMinor", "limit": 20, "fields": ["name", "revenueMinor"]
}))]
#[schemars(rename = "CustomerSearch")]
pub(super) struct SearchBody {
    /// Which customers; all unless given.
    #[serde(rename = "where")]
    condition: Option<ConditionBody>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default), `createdAt`, `updatedAt`, `revenueMinor` or `status`, with `-` in front for descending.
    sort: Option<String>,
    /// The fields to answer with; `id` always is among them.
    fields: Option<Vec<String>>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("searchCustomers")
        .tag(super::TAG)
        .summary("List the customers for which a condition holds")
        .description(
            "A condition joins clauses by `all` and `any`, at most 4 levels deep and with at most 20 clauses. The \
             clauses are those of the `filter` of `GET /api/customers`.",
        )
        .response::<200, Json<Page<Customer>>>()
}

pub(super) async fn handle(
    allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Json(body): Json<SearchBody>,
) -> Result<Response, Problem> {
    let wanted = Wanted {
        query: ListQuery {
            limit: body.limit,
            cursor: body.cursor,
            sort: body.sort,
        },
        conditions: Conditions {
            condition: body.condition,
            ..Conditions::default()
        },
        data_scope: body.data_scope,
        fields: body.fields,
        archived: false,
    };
    wanted.page(allowed, &app).await.map_err(super::in_body)
}
