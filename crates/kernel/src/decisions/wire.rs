//! The calls by which a process replicates policies from the access service.

use crate::mesh::Call;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use stoa_policy::{EndpointRule, SubjectGrants, TenantPolicy};
use stoa_types::{TenantId, UserId};

/// Loads the endpoint rules that hold for every tenant and for callers without one.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadPlatformRules {}

/// The answer to [`LoadPlatformRules`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRules {
    /// Rises with every change of these rules.
    pub revision: i64,
    /// The rules.
    pub rules: Vec<EndpointRule>,
}

impl Call for LoadPlatformRules {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.load_platform_rules";
    type Reply = PlatformRules;
}

/// Loads a tenant's roles, grants and endpoint rules.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadPolicy {
    /// The tenant.
    pub tenant: TenantId,
}

impl Call for LoadPolicy {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.load_policy";
    type Reply = TenantPolicy;
}

/// Loads a user's role assignments and branch. An unknown user has none, and is allowed nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoadSubject {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
}

impl Call for LoadSubject {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.load_subject";
    type Reply = SubjectGrants;
}

/// Waits up to `wait_ms` for changes after `after`; answers at once when there are some.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchChanges {
    /// The last change that the caller has applied; `None` asks only for the current position.
    pub after: Option<i64>,
    /// The longest wait, in milliseconds.
    pub wait_ms: u64,
}

/// The answer to [`WatchChanges`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The position to ask after next.
    pub last: i64,
    /// There was more than is listed, or a gap: drop everything and load again.
    pub reset: bool,
    /// What changed, in order.
    pub changes: Vec<Change>,
}

/// One change of a policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The tenant; `None` for the rules of the platform.
    pub tenant: Option<TenantId>,
    /// The only user concerned; `None` when the tenant's policy itself changed, or many users.
    pub user: Option<UserId>,
    /// Many users of the tenant changed and the policy did not: a team, or the tree of branches. A reader that does not
    /// know this field loads the policy again too, which does no harm.
    #[serde(default)]
    pub subjects: bool,
    /// The revision from which the change holds.
    pub revision: i64,
}

impl Call for WatchChanges {
    const SERVICE: &'static str = "access";
    const NAME: &'static str = "access.watch_changes";
    const BUDGET: Duration = Duration::from_secs(20);
    type Reply = Changes;
}
