//! Segments: conditions on customers that are kept under a name.

use crate::filter::ConditionBody;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_contracts::customer::{SegmentChange, SegmentChanged};
use stoa_kernel::{Problem, Record, Validation};
use stoa_types::SegmentId;

/// A saved condition on customers. All who may read customers see it, and each finds their own customers with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerSegment")]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// Its name.
    pub name: String,
    /// Which customers belong to it.
    #[serde(rename = "where")]
    pub condition: ConditionBody,
    /// How its customers are sorted, unless a list says otherwise.
    pub sort: Option<String>,
    /// Which of their fields are shown, unless a list says otherwise.
    pub fields: Option<Vec<String>>,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of a segment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "name": "Large and won",
    "where": { "all": [
        { "field": "status", "op": "eq", "value": "active" },
        { "any": [
            { "field": "revenueMinor", "op": "ge", "value": 1_000_000 },
            { "field": "tag", "op": "has", "value": "key account" }
        ]}
    ]},
    "sort": "-revenueMinor", "fields": ["name", "revenueMinor", "tags"]
}))]
#[schemars(rename = "CustomerSegmentInput")]
pub struct SegmentInput {
    /// 1 to 100 characters; unique without regard to case and accents.
    pub name: String,
    /// Which customers belong to it.
    #[serde(rename = "where")]
    pub condition: ConditionBody,
    /// How its customers are sorted unless a list says otherwise, as in `GET /api/customers`.
    pub sort: Option<String>,
    /// Which of their fields are shown unless a list says otherwise; `id` always is among them.
    pub fields: Option<Vec<String>>,
}

impl SegmentInput {
    /// Checks and tidies the name; the condition needs the custom fields' definitions.
    ///
    /// # Errors
    /// 422 naming the rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, 1..=100);
        check.finish(Self { name, ..self })
    }
}

impl Segment {
    /// A segment from checked input.
    pub(crate) fn new(id: SegmentId, input: SegmentInput, record: Record) -> Self {
        Self {
            id,
            name: input.name,
            condition: input.condition,
            sort: input.sort,
            fields: input.fields,
            record,
        }
    }

    /// What tells others of a change.
    pub(crate) fn changed(&self, change: SegmentChange) -> SegmentChanged {
        SegmentChanged {
            segment_id: self.id,
            change,
            version: self.record.version,
        }
    }
}
