//! Organisations and branches: types and rules. Pure; the types are also what the API answers with.

use crate::error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_contracts::organization as contract;
use stoa_kernel::db::Origin;
use stoa_kernel::{Clock, Problem, Record, Validation};
use stoa_policy::{AttributeType, Attributes, BRANCH_ATTRIBUTE, Schema, ValueRef};
use stoa_types::{BranchId, OrganizationId};

/// The most levels of a tree.
pub(crate) const MAX_DEPTH: usize = 20;

/// How long names may be, in characters.
const NAME: std::ops::RangeInclusive<usize> = 2..=200;

/// Where an organisation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationStatus {
    /// In business.
    Active,
    /// Set aside for now.
    Suspended,
}

impl OrganizationStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended]
            .into_iter()
            .find(|s| s.as_str() == name)
    }
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: OrganizationStatus,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of an organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "name": "Acme Corporation" }))]
pub struct OrganizationInput {
    /// 2 to 200 characters.
    pub name: String,
    /// `active` for a new one and unchanged for an old one, unless given.
    pub status: Option<OrganizationStatus>,
}

impl OrganizationInput {
    /// Checks and tidies the fields.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, NAME);
        check.finish(Self { name, ..self })
    }
}

impl Organization {
    pub(crate) fn new(id: OrganizationId, input: OrganizationInput, record: Record) -> Self {
        Self {
            id,
            name: input.name,
            status: input.status.unwrap_or(OrganizationStatus::Active),
            record,
        }
    }

    /// As the client wants it; `None` when that changes nothing.
    pub(crate) fn updated(&self, input: OrganizationInput, origin: &Origin, clock: &Clock) -> Option<Self> {
        let status = input.status.unwrap_or(self.status);
        (input.name != self.name || status != self.status).then(|| Self {
            id: self.id,
            name: input.name,
            status,
            record: self.record.changed(origin, clock),
        })
    }

    /// What conditions and data scopes of grants on `organizations:…` may ask.
    pub(crate) fn schema() -> Schema {
        Schema::new().with("status", AttributeType::Text, "status")
    }
}

impl Attributes for Organization {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            "status" => ValueRef::Text(self.status.as_str()),
            _ => ValueRef::Null,
        }
    }
}

/// A branch of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// Its organisation.
    pub organization_id: OrganizationId,
    /// The branch directly above; null at the top of the organisation.
    pub parent_id: Option<BranchId>,
    /// Its name.
    pub name: String,
    /// From the root to the branch itself.
    pub path: Vec<BranchId>,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// A new branch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "name": "Berlin", "parentId": null }))]
pub struct BranchInput {
    /// 2 to 200 characters.
    pub name: String,
    /// The branch above; absent at the top of the organisation.
    pub parent_id: Option<BranchId>,
}

impl BranchInput {
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, NAME);
        check.finish(Self { name, ..self })
    }
}

/// A branch's new name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "name": "Berlin Mitte" }))]
pub struct BranchName {
    /// 2 to 200 characters.
    pub name: String,
}

impl BranchName {
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, NAME);
        check.finish(Self { name })
    }
}

/// A branch's new place.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "parentId": null }))]
pub struct BranchMove {
    /// The branch above from now on; null for the top of the organisation. It must be said, not left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub parent_id: Option<BranchId>,
}

impl Branch {
    /// A branch below `parent`, which the caller has found live and in the same organisation.
    ///
    /// # Errors
    /// 422 when the tree would become too deep.
    pub(crate) fn new(
        id: BranchId,
        organization_id: OrganizationId,
        parent: Option<&Self>,
        name: String,
        record: Record,
    ) -> Result<Self, Problem> {
        let mut path = parent.map(|p| p.path.clone()).unwrap_or_default();
        path.push(id);
        if path.len() > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(Self {
            id,
            organization_id,
            parent_id: parent.map(|p| p.id),
            name,
            path,
            record,
        })
    }

    /// What conditions and data scopes of grants on `branches:…` may ask.
    pub(crate) fn schema() -> Schema {
        Schema::new()
            .with(BRANCH_ATTRIBUTE, AttributeType::Uuid, "id")
            .with("organizationId", AttributeType::Uuid, "organization_id")
    }

    /// As other services see it.
    pub(crate) fn contract(&self) -> contract::Branch {
        contract::Branch {
            id: self.id,
            organization: self.organization_id,
            parent: self.parent_id,
            name: self.name.clone(),
            path: self.path.clone(),
            archived: self.record.is_archived(),
            version: self.record.version,
        }
    }
}

impl Attributes for Branch {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            BRANCH_ATTRIBUTE => ValueRef::Uuid(self.id.uuid()),
            "organizationId" => ValueRef::Uuid(self.organization_id.uuid()),
            _ => ValueRef::Null,
        }
    }
}

/// The place of a branch that is to be created or moved, as the question whether the caller may put something there:
/// the branch above, or none.
pub(crate) struct Place {
    pub(crate) organization_id: OrganizationId,
    pub(crate) parent_id: Option<BranchId>,
}

impl Attributes for Place {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            BRANCH_ATTRIBUTE => self.parent_id.map(BranchId::uuid).into(),
            "organizationId" => ValueRef::Uuid(self.organization_id.uuid()),
            _ => ValueRef::Null,
        }
    }
}

/// The branches of `subtree` after `moved`, their root, was put below `parent`.
///
/// # Errors
/// 422 when `parent` is in the subtree or the tree would become too deep.
pub(crate) fn moved_subtree(
    moved: &Branch,
    subtree: &[Branch],
    parent: Option<&Branch>,
    origin: &Origin,
    clock: &Clock,
) -> Result<Vec<Branch>, Problem> {
    if parent.is_some_and(|p| p.path.contains(&moved.id)) {
        return Err(error::parent("cycle", "a branch cannot be moved below itself"));
    }
    let above: &[BranchId] = parent.map_or(&[], |p| &p.path);
    let kept_from = moved.path.len().saturating_sub(1);
    subtree
        .iter()
        .map(|branch| {
            let below = branch.path.get(kept_from..).unwrap_or_default();
            let path = [above, below].concat();
            if path.len() > MAX_DEPTH {
                return Err(too_deep());
            }
            let parent_id = if branch.id == moved.id {
                parent.map(|p| p.id)
            } else {
                branch.parent_id
            };
            Ok(Branch {
                parent_id,
                path,
                record: branch.record.changed(origin, clock),
                ..branch.clone()
            })
        })
        .collect()
}

fn too_deep() -> Problem {
    error::parent("depth", format!("a tree has at most {MAX_DEPTH} levels"))
}

#[cfg(test)]
mod tests;
