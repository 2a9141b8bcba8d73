//! Organisations and their branches: what the organization service tells and answers.
//!
//! Names of organisations and branches are not personal data, so events carry them (EV-16).

use crate::Done;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Call, Event};
use stoa_types::{BranchId, OrganizationId};
use uuid::Uuid;

/// The topic of every event here.
pub const TOPIC: &str = "domain.organization.events";

macro_rules! organization_events {
    ($($(#[$doc:meta])+ $name:ident = $verb:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The organisation.
            pub organization_id: OrganizationId,
            /// Its name after the change.
            pub name: String,
            /// Its version after the change.
            pub version: i64,
        }

        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.organization.organization.", $verb, ".v1");
            const AGGREGATE: &'static str = "organization";

            fn aggregate_id(&self) -> Uuid {
                self.organization_id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

organization_events! {
    /// An organisation was created.
    OrganizationCreated = "created";
    /// An organisation was renamed or its status changed.
    OrganizationUpdated = "updated";
    /// An organisation was archived.
    OrganizationArchived = "archived";
    /// An archived organisation is back.
    OrganizationRestored = "restored";
}

macro_rules! branch_events {
    ($($(#[$doc:meta])+ $name:ident = $verb:literal;)+) => {$(
        $(#[$doc])+
        ///
        /// Carries the whole branch after the change, so that a consumer's projection needs no other event.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The branch.
            pub branch_id: BranchId,
            /// Its organisation.
            pub organization_id: OrganizationId,
            /// The branch directly above; `None` at the top of the organisation.
            pub parent_id: Option<BranchId>,
            /// Its name.
            pub name: String,
            /// From the root to the branch itself, both included.
            pub path: Vec<BranchId>,
            /// Whether it is archived.
            pub archived: bool,
            /// Its version after the change.
            pub version: i64,
        }

        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.organization.branch.", $verb, ".v1");
            const AGGREGATE: &'static str = "branch";

            fn aggregate_id(&self) -> Uuid {
                self.branch_id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }

        impl From<Branch> for $name {
            fn from(branch: Branch) -> Self {
                Self {
                    branch_id: branch.id,
                    organization_id: branch.organization,
                    parent_id: branch.parent,
                    name: branch.name,
                    path: branch.path,
                    archived: branch.archived,
                    version: branch.version,
                }
            }
        }

        impl From<&$name> for Branch {
            fn from(event: &$name) -> Self {
                Self {
                    id: event.branch_id,
                    organization: event.organization_id,
                    parent: event.parent_id,
                    name: event.name.clone(),
                    path: event.path.clone(),
                    archived: event.archived,
                    version: event.version,
                }
            }
        }
    )+};
}

branch_events! {
    /// A branch was created.
    BranchCreated = "created";
    /// A branch has another place in the tree: moved itself, or below one that moved.
    BranchMoved = "moved";
    /// A branch was renamed.
    BranchRenamed = "renamed";
    /// A branch was archived.
    BranchArchived = "archived";
    /// An archived branch is back.
    BranchRestored = "restored";
}

/// A branch as other services see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// Its organisation.
    pub organization: OrganizationId,
    /// The branch directly above; `None` at the top of the organisation.
    pub parent: Option<BranchId>,
    /// Its name.
    pub name: String,
    /// From the root to the branch itself, both included.
    pub path: Vec<BranchId>,
    /// Whether it is archived.
    pub archived: bool,
    /// Its version, the same count as in the events: a projection keeps the highest it has seen.
    pub version: i64,
}

/// Creates an organisation in the scope's tenant; with an id that exists it does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, 2 to 200 characters.
    pub name: String,
}

impl Call for CreateOrganization {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.create_organization";
    type Reply = Done;
}

/// Creates a branch in the scope's tenant; with an id that exists it does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateBranch {
    /// Its id.
    pub id: BranchId,
    /// The organisation it belongs to.
    pub organization: OrganizationId,
    /// The branch above; `None` at the top of the organisation.
    pub parent: Option<BranchId>,
    /// Its name, 2 to 200 characters.
    pub name: String,
}

impl Call for CreateBranch {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.create_branch";
    type Reply = Done;
}

/// Reads a branch of the scope's tenant, archived or not; refused with 404 when there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetBranch {
    /// Its id.
    pub id: BranchId,
}

impl Call for GetBranch {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.get_branch";
    type Reply = Branch;
}

/// Finds live branches of the scope's tenant by id or exact name (case and accents do not count), in this order of
/// preference; a name that two branches have finds neither.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindBranches {
    /// At most [`MAX_FOUND`].
    pub keys: Vec<String>,
}

/// The most keys of one [`FindBranches`].
pub const MAX_FOUND: usize = 1_000;

/// The answer to [`FindBranches`]: for each key in its order the branch, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundBranches {
    /// As many as keys.
    pub branches: Vec<Option<BranchId>>,
}

impl Call for FindBranches {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.find_branches";
    type Reply = FoundBranches;
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: EV-07, QA-04
    #[test]
    fn the_wire_form_of_a_branch_event_stays() {
        let json = r#"{"branchId":"00000000-0000-0000-0000-000000000002","organizationId":"00000000-0000-0000-0000-000000000001","parentId":null,"name":"Berlin","path":["00000000-0000-0000-0000-000000000002"],"archived":false,"version":3}"#;
        let event: BranchMoved = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(BranchMoved::from(Branch::from(&event)), event);
        assert_eq!(BranchMoved::TYPE, "dev.stoa.organization.branch.moved.v1");
        assert_eq!(
            (event.aggregate_id(), event.aggregate_version()),
            (event.branch_id.uuid(), 3)
        );
    }
}
