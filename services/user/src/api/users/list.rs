//! `GET /api/users`

use crate::model::{SCHEMA, User};
use crate::{App, ReadTeams, ReadUsers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Fields, Json, ListQuery, Query};
use stoa_kernel::{Allowed, Permission, Problem, Validation};
use stoa_types::{Page, TeamId};

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
    /// The beginning of the name or of one of its words, of the handle or of the e-mail address, without regard to case
    /// and accents.
    search: Option<String>,
    /// Only members of this team. Needs `teams:read` as well.
    team_id: Option<TeamId>,
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
    /// The fields to answer with, joined by commas; `id` always is among them.
    fields: Option<String>,
    /// The archived ones instead of the live ones.
    archived: bool,
}

/// What `fields` may name.
const FIELDS: &[&str] = &[
    "id",
    "name",
    "email",
    "handle",
    "title",
    "phone",
    "locale",
    "timezone",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "archivedAt",
];

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listUsers")
        .tag(super::TAG)
        .summary("List the users that the caller may see")
        .response::<200, Json<Page<User>>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadUsers>,
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
    .plan(store::SORT)?;
    let fields = Fields::parse(parameters.fields.as_deref(), FIELDS)?;
    let mut select = Select::new(if parameters.archived {
        store::ARCHIVED
    } else {
        store::LIVE
    });
    conditions(&mut select, &parameters, &allowed)?;
    select.and_rows(&allowed.rows(parameters.data_scope.map(Into::into)), &SCHEMA);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    fields.answer(plan.page(store::all(&rows)?, |user| {
        (store::sort_value(plan.key, user), user.id.uuid())
    }))
}

fn conditions(
    select: &mut Select,
    parameters: &Parameters,
    allowed: &Allowed<ReadUsers>,
) -> Result<(), Problem> {
    let mut check = Validation::new();
    let search = check.optional_text("search", parameters.search.as_deref(), 1..=200);
    check.finish(())?;
    if let Some(search) = search {
        store::and_search(select, &search);
    }
    if let Some(team) = parameters.team_id {
        if !allowed.caller().decide(ReadTeams::NAME, None).allowed {
            return Err(allowed.caller().refusal(ReadTeams::NAME, None));
        }
        store::and_team(select, team);
    }
    Ok(())
}
