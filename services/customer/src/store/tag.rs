//! Tags, as customers are found by them.

use super::filter::range;
use crate::model::TagCount;
use stoa_kernel::db::{Row, Select};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::CustomerId;

/// Rows for [`tags_in_use`]; `group by tag` follows the conditions.
pub(crate) const TAGS: &str =
    "select tag, count(*) from customer.tag join customer.customer on id = customer_id
    where archived_at is null";

/// Keeps the tags that begin with `text`.
pub(crate) fn and_prefix(select: &mut Select, text: String) {
    let range = range(select, "tag", text);
    select.and(&range);
}

/// Makes these the tags of a customer.
pub(crate) fn keep_tags(tx: &mut TenantTx<'_>, id: CustomerId, tags: &[String]) {
    tx.defer(
        "delete from customer.tag where customer_id = $1 and tag <> all($2)",
        params![id.uuid(), tags.to_vec()],
    );
    tx.defer(
        "insert into customer.tag (tenant_id, customer_id, tag) select $1, $2, unnest($3::text[])
         on conflict (tenant_id, customer_id, tag) do nothing",
        params![tx.tenant(), id.uuid(), tags.to_vec()],
    );
}

/// The tags in a statement's rows.
pub(crate) fn tags_in_use(rows: &[Row]) -> Result<Vec<TagCount>, DbError> {
    let read = |row: &Row| {
        Ok(TagCount {
            tag: row.try_get(0)?,
            customers: row.try_get(1)?,
        })
    };
    rows.iter().map(read).collect()
}
