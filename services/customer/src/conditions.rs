//! What narrows a list of customers: read from requests, turned into SQL.

use crate::filter::{self, ConditionBody};
use crate::model::{Field, Segment};
use crate::{App, store};
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Select;
use stoa_kernel::{FieldError, Problem, Scope, Validation};
use stoa_types::SegmentId;

/// Conditions, all of which must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    /// The beginning of the name or of the e-mail address.
    pub(crate) search: Option<String>,
    pub(crate) status: Option<CustomerStatus>,
    /// The `filter` parameter.
    pub(crate) filter: Option<String>,
    /// The `where` of a body.
    pub(crate) condition: Option<ConditionBody>,
    /// A saved condition.
    pub(crate) segment: Option<SegmentId>,
}

/// What the tenant has defined, as far as some conditions need it.
#[derive(Debug, Default)]
pub(crate) struct Defined {
    fields: Vec<Field>,
    pub(crate) segment: Option<Segment>,
}

impl Conditions {
    /// Adds the conditions to a statement on customers. When they name a segment or a custom field, its definition is
    /// read first, in a transaction of its own.
    ///
    /// # Errors
    /// 422 for what is no condition.
    pub(crate) async fn add_to(
        &self,
        select: &mut Select,
        app: &App,
        scope: &mut Scope,
    ) -> Result<(), Problem> {
        let defined = self.defined(app, scope).await?;
        self.and(select, &defined)
    }

    /// Reads what the conditions need to be understood; nothing when they need nothing.
    ///
    /// # Errors
    /// 422 when there is no such segment.
    pub(crate) async fn defined(&self, app: &App, scope: &mut Scope) -> Result<Defined, Problem> {
        let needed = self.segment.is_some()
            || self.filter.as_deref().is_some_and(filter::needs_fields)
            || self.condition.as_ref().is_some_and(ConditionBody::needs_fields);
        if !needed {
            return Ok(Defined::default());
        }
        let mut tx = app.db.begin(scope);
        store::all_fields(&mut tx);
        store::find_segment(&mut tx, self.segment);
        let rows = tx.commit().await?;
        let [fields, segment, ..] = rows.as_slice() else {
            return Err(store::missing_result().into());
        };
        let segment = store::segments(segment)?.pop();
        if self.segment.is_some() && segment.is_none() {
            let detail = "there is no such segment; GET /api/customers/segments lists them";
            return Err(Problem::invalid(vec![FieldError::new(
                "segment", "unknown", detail,
            )]));
        }
        Ok(Defined {
            fields: store::fields(fields)?,
            segment,
        })
    }

    /// Adds the conditions to a statement on customers.
    ///
    /// # Errors
    /// 422 for what is no condition.
    pub(crate) fn and(&self, select: &mut Select, defined: &Defined) -> Result<(), Problem> {
        let mut check = Validation::new();
        let search = check.optional_text("search", self.search.as_deref(), 1..=200);
        check.finish(())?;
        if let Some(search) = search {
            store::and_search(select, &search);
        }
        if let Some(status) = self.status {
            let status = select.param(status.as_str());
            select.and(&format!("status = {status}"));
        }
        if let Some(text) = &self.filter {
            store::and_filter(select, &filter::parse(text, &defined.fields)?);
        }
        if let Some(condition) = &self.condition {
            store::and_filter(select, &condition.tree("/where", &defined.fields)?);
        }
        if let Some(segment) = &defined.segment {
            store::and_filter(select, &segment.condition.tree("segment", &defined.fields)?);
        }
        Ok(())
    }
}
