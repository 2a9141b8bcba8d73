//! All routes at one moment: the platform's, and each tenant's own.

use super::table::{Match, Question, Table};
use crate::model::RouteSpec;
use std::collections::HashMap;
use std::sync::Arc;
use stoa_kernel::request::Identity;
use stoa_types::TenantId;
use uuid::Uuid;

/// An immutable view of all routes. Unchanged tables are shared with the snapshot before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    platform: Arc<Table>,
    tenants: HashMap<TenantId, Arc<Table>, foldhash::fast::RandomState>,
}

/// Routes read from the database, to lay over a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The platform's routes; `None` when they did not change.
    pub(crate) platform: Option<Vec<(Uuid, RouteSpec)>>,
    /// The tenants whose routes changed, each with all of them; an empty list forgets the tenant.
    pub(crate) tenants: Vec<(TenantId, Vec<(Uuid, RouteSpec)>)>,
}

impl Snapshot {
    /// The route for a request: the caller's tenant's own, else the platform's.
    pub(crate) fn find(&self, question: &Question<'_>, identity: Option<Identity>) -> Option<Match> {
        let own = identity
            .filter(|_| !self.tenants.is_empty())
            .and_then(|identity| self.tenants.get(&identity.tenant))
            .and_then(|table| table.find(question));
        own.or_else(|| self.platform.find(question)).cloned()
    }

    /// The next snapshot. A table that cannot be compiled keeps its last good form, and the log says why.
    #[must_use]
    pub(crate) fn with(&self, loaded: Loaded) -> Self {
        let mut next = self.clone();
        if let Some(routes) = loaded.platform
            && let Some(table) = compiled(&routes, "the platform")
        {
            next.platform = table;
        }
        for (tenant, routes) in loaded.tenants {
            if routes.is_empty() {
                next.tenants.remove(&tenant);
            } else if let Some(table) = compiled(&routes, &tenant.to_string()) {
                next.tenants.insert(tenant, table);
            }
        }
        next
    }
}

fn compiled(routes: &[(Uuid, RouteSpec)], owner: &str) -> Option<Arc<Table>> {
    match Table::compile(routes) {
        Ok(table) => Some(Arc::new(table)),
        Err(why) => {
            tracing::error!(owner, cause = %why, "these routes cannot be published; the last good ones stay");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Predicates, Target};
    use http::{HeaderMap, Method};
    use stoa_types::UserId;

    fn routes(name: &str, path: &str) -> Vec<(Uuid, RouteSpec)> {
        let spec = RouteSpec {
            name: name.into(),
            priority: 0,
            predicates: Predicates {
                paths: vec![path.into()],
                ..Predicates::default()
            },
            target: Target::Service("customer".into()),
            strip_prefix: 0,
            rewrite: None,
            enabled: true,
        };
        vec![(Uuid::from_u128(1), spec)]
    }

    fn find(snapshot: &Snapshot, identity: Option<Identity>) -> Option<String> {
        let headers = HeaderMap::new();
        let question = Question {
            method: &Method::GET,
            path: "/x/1",
            host: "",
            headers: &headers,
            query: None,
        };
        snapshot
            .find(&question, identity)
            .map(|m| m.route.name.to_string())
    }

    // covers: GW-01
    #[test]
    fn a_tenants_routes_are_for_its_callers_and_a_broken_table_keeps_the_last_good_one() {
        let caller = |n: u128| {
            Some(Identity {
                tenant: TenantId(Uuid::from_u128(n)),
                user: UserId(Uuid::from_u128(9)),
            })
        };
        let first = Snapshot::default().with(Loaded {
            platform: Some(routes("platform", "/x/**")),
            tenants: vec![(TenantId(Uuid::from_u128(1)), routes("own", "/x/**"))],
        });
        assert_eq!(find(&first, caller(1)).as_deref(), Some("own"));
        assert_eq!(find(&first, caller(2)).as_deref(), Some("platform"));
        assert_eq!(find(&first, None).as_deref(), Some("platform"));

        let broken = first.with(Loaded {
            platform: Some(routes("broken", "no slash")),
            tenants: vec![(TenantId(Uuid::from_u128(1)), routes("broken", "no slash"))],
        });
        assert_eq!(find(&broken, caller(1)).as_deref(), Some("own"));
        assert_eq!(find(&broken, None).as_deref(), Some("platform"));

        let gone = broken.with(Loaded {
            platform: None,
            tenants: vec![(TenantId(Uuid::from_u128(1)), Vec::new())],
        });
        assert_eq!(find(&gone, caller(1)).as_deref(), Some("platform"));
    }
}
