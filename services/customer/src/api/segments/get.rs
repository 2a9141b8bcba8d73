//! `GET /api/customers/segments/{id}`

use super::found;
use crate::model::Segment;
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::http::{Conditional, IfNoneMatch, Path};
use stoa_kernel::{Allowed, Problem};
use stoa_types::SegmentId;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("getCustomerSegment")
        .tag(super::TAG)
        .summary("Read a segment")
        .description(
            "Its customers are `GET /api/customers?segment=`, their numbers `GET /api/customers/stats?segment=`.",
        )
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<SegmentId>,
    known: IfNoneMatch,
) -> Result<Conditional<Segment>, Problem> {
    let mut tx = app.db.begin(&mut allowed.scope);
    store::find_segment(&mut tx, Some(id));
    let segment = found(&tx.commit().await?)?;
    Ok(known.answer(segment.record.version, segment))
}
