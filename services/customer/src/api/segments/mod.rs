//! Segments.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod update;

use crate::api::list::known_fields;
use crate::model::{Field, Segment, SegmentInput};
use crate::{ConfigureCustomers, ReadCustomers, store};
use stoa_kernel::db::Row;
use stoa_kernel::http::ListQuery;
use stoa_kernel::{Permission, Problem, Rights};
use stoa_types::UserId;

/// The heading in the API's documentation.
const TAG: &str = "Customer segments";
/// What a 404 says is missing.
const WHAT: &str = "segment";

/// Refuses what a list could not do; `fields` are the tenant's custom fields.
fn check(input: &SegmentInput, fields: &[Field]) -> Result<(), Problem> {
    input.condition.tree("/where", fields)?;
    let query = ListQuery {
        sort: input.sort.clone(),
        ..ListQuery::default()
    };
    query.plan(store::SORT).map_err(crate::api::in_body)?;
    input
        .fields
        .clone()
        .map(known_fields)
        .transpose()
        .map_err(crate::api::in_body)?;
    Ok(())
}

/// The segment in a statement's rows.
fn found(rows: &[Vec<Row>]) -> Result<Segment, Problem> {
    let rows = rows.first().map_or(&[][..], |rows| rows);
    let segment = store::segments(rows)?.pop();
    segment.ok_or_else(|| Problem::not_found(WHAT))
}

/// The segment in a statement's rows, when the caller may change it: who created it, and who holds
/// `customers:configure` in the data scope `all`.
fn changeable(
    rows: &[Vec<Row>],
    rights: &Rights<ReadCustomers>,
    user: Option<UserId>,
) -> Result<Segment, Problem> {
    let segment = found(rows)?;
    let is_own = user.is_some_and(|user| segment.record.created_by == user.to_string());
    if is_own || rights.rows_of::<ConfigureCustomers>().is_all() {
        return Ok(segment);
    }
    Err(Problem::forbidden(format!(
        "the segment is somebody else's; who did not create it needs `{}` in the data scope `all`",
        ConfigureCustomers::NAME
    )))
}
