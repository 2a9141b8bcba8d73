//! Pages of an export.

use stoa_kernel::db::Select;
use stoa_types::CustomerId;

/// The customers of a page.
pub(crate) const PAGE: usize = 1_000;

/// Completes a statement on customers: those after this one, by id, as many as a page holds.
pub(crate) fn page(select: &mut Select, after: Option<CustomerId>) {
    if let Some(after) = after {
        let after = select.param(after.uuid());
        select.and(&format!("id > {after}"));
    }
    let limit = select.param(PAGE as i64);
    select.push(&format!("order by id limit {limit}"));
}
