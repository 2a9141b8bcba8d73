//! `GET /api/teams`

use crate::model::team::{SCHEMA, Team};
use crate::{App, ReadTeams, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Fields, Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem, Validation};
use stoa_types::{Page, UserId};

/// What to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Items per page, 1 to 100; 50 unless given.
    limit: Option<u32>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
    /// `name` (default), `createdAt` or `updatedAt`, with `-` in front for descending.
    sort: Option<String>,
    /// The beginning of the name, without regard to case and accents.
    search: Option<String>,
    /// Only teams of this user.
    user_id: Option<UserId>,
    /// The fields to answer with, joined by commas; `id` always is among them.
    fields: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

/// What `fields` may name.
const FIELDS: &[&str] = &[
    "id",
    "name",
    "description",
    "memberCount",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "archivedAt",
];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listTeams")
        .tag(super::TAG)
        .summary("List teams")
        .response::<200, Json<Page<Team>>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadTeams>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    let Parameters {
        limit, cursor, sort, ..
    } = &parameters;
    let plan = ListQuery {
        limit: *limit,
        cursor: cursor.clone(),
        sort: sort.clone(),
    }
    .plan(store::team::SORT)?;
    let fields = Fields::parse(parameters.fields.as_deref(), FIELDS)?;
    let mut select = Select::new(if parameters.archived {
        store::team::ARCHIVED
    } else {
        store::team::LIVE
    });
    conditions(&mut select, &parameters)?;
    select.and_rows(&allowed.rows(None), &SCHEMA);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    fields.answer(plan.page(store::team::all(&rows)?, |team| {
        (store::team::sort_value(plan.key, team), team.id.uuid())
    }))
}

fn conditions(select: &mut Select, parameters: &Parameters) -> Result<(), Problem> {
    let mut check = Validation::new();
    let search = check.optional_text("search", parameters.search.as_deref(), 1..=200);
    check.finish(())?;
    if let Some(search) = search {
        store::team::and_search(select, &search);
    }
    if let Some(user) = parameters.user_id {
        store::team::and_user(select, user);
    }
    Ok(())
}
