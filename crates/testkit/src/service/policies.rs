//! The access service as a table in memory: what it would tell a process that follows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use stoa_kernel::decisions::{
    Changes, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges,
};
use stoa_kernel::mesh::Calls;
use stoa_policy::{Assignment, EndpointRule, SubjectGrants, TenantPolicy};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

/// The policies of tenants and the grants of users. Whoever is not in it has none. Clones share one table.
#[derive(Clone, Default)]
pub struct Policies {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Default)]
struct Tables {
    rules: Vec<EndpointRule>,
    policies: HashMap<Uuid, TenantPolicy>,
    subjects: HashMap<(Uuid, Uuid), SubjectGrants>,
}

impl Policies {
    /// The platform's endpoint rules.
    pub fn set_rules(&self, rules: Vec<EndpointRule>) {
        self.tables().rules = rules;
    }

    /// Changes a tenant's policy, which is empty at first. Processes that have loaded it go on with what they have.
    pub fn change(&self, tenant: TenantId, change: impl FnOnce(&mut TenantPolicy)) {
        let mut tables = self.tables();
        let policy = tables.policies.entry(tenant.uuid());
        change(policy.or_insert_with(|| empty(tenant)));
    }

    /// Gives a user of a tenant what it holds.
    pub fn grant(&self, tenant: TenantId, user: UserId, grants: SubjectGrants) {
        let grants = SubjectGrants {
            tenant: tenant.uuid(),
            user: user.uuid(),
            ..grants
        };
        self.tables()
            .subjects
            .insert((tenant.uuid(), user.uuid()), grants);
    }

    /// The calls that the access service would answer.
    #[must_use]
    pub fn calls(&self) -> Calls {
        let (rules, policies, subjects) = (self.clone(), self.clone(), self.clone());
        Calls::new()
            .on(move |_, _: LoadPlatformRules| {
                let rules = rules.tables().rules.clone();
                async move { Ok(PlatformRules { revision: 1, rules }) }
            })
            .on(move |_, call: LoadPolicy| {
                let known = policies.tables().policies.get(&call.tenant.uuid()).cloned();
                async move { Ok(known.unwrap_or_else(|| empty(call.tenant))) }
            })
            .on(move |_, call: LoadSubject| {
                let key = (call.tenant.uuid(), call.user.uuid());
                let known = subjects.tables().subjects.get(&key).cloned();
                let nothing = SubjectGrants {
                    tenant: key.0,
                    user: key.1,
                    ..SubjectGrants::default()
                };
                async move { Ok(known.unwrap_or(nothing)) }
            })
            .on(|_, call: WatchChanges| async move {
                if call.after.is_some() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(Changes {
                    last: 1,
                    reset: false,
                    changes: Vec::new(),
                })
            })
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn empty(tenant: TenantId) -> TenantPolicy {
    TenantPolicy {
        tenant: tenant.uuid(),
        revision: 1,
        ..TenantPolicy::default()
    }
}

/// The id of a role of this name.
#[must_use]
pub fn role_id(name: &str) -> Uuid {
    stoa_kernel::openapi::stable_id(name)
}

/// That a role is held without end.
pub(super) fn assigned(role: &str) -> Assignment {
    Assignment {
        role: role_id(role),
        valid_from: None,
        valid_until: None,
    }
}
