//! `GET /api/customers/tags`

use crate::model::{SCHEMA, TagsInUse, tag_key};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Json, Query};
use stoa_kernel::{Allowed, Problem, Validation};

/// Which tags to count.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Parameters {
    /// The beginning of the tag.
    search: Option<String>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
}

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerTags")
        .tag(crate::api::TAG)
        .summary("List the tags of the customers that the caller may see, with their numbers")
        .description("At most 1,000, in alphabetical order; `search` narrows them by their beginning.")
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<TagsInUse>, Problem> {
    let mut check = Validation::new();
    let search = check.optional_text("search", parameters.search.as_deref(), 1..=40);
    check.finish(())?;
    let mut select = Select::new(store::TAGS);
    if let Some(search) = search {
        store::and_prefix(&mut select, tag_key(&search));
    }
    select.and_rows(&allowed.rows(parameters.data_scope.map(Into::into)), &SCHEMA);
    select.push("group by tag order by tag limit 1000");
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let items = store::tags_in_use(&rows)?;
    Ok(Json(TagsInUse { items }))
}
