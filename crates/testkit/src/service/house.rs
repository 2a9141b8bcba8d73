//! A service with users whose rights the test chooses.

use super::exchange::{Answer, request};
use super::policies::{Policies, assigned, role_id};
use super::process::{Process, Setup};
use super::{catalogue, clone_of};
use crate::postgres::TestDatabase;
use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;
use stoa_kernel::db::Pools;
use stoa_kernel::mesh::Calls;
use stoa_kernel::request::Identity;
use stoa_kernel::{Clock, Mesh, Service};
use stoa_policy::{Condition, DataScope, Effect, Grant, Role, SubjectGrants};
use stoa_types::{BranchId, TenantId, UserId, new_id};

/// A started service.
pub struct House {
    /// Its database.
    pub pools: Pools,
    /// The way to its calls.
    pub mesh: Mesh,
    /// Its clock.
    pub clock: Clock,
    /// A superuser's connection, for looking.
    pub admin: tokio_postgres::Client,
    process: Process,
    policies: Policies,
    _database: TestDatabase,
}

impl House {
    /// Starts `service`; `others` are the calls that other services would answer.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(service: fn() -> Service, others: Calls) -> Self {
        let database = clone_of(service, catalogue).await;
        let admin = database.connect_as_superuser().await.expect("a connection");
        let policies = Policies::default();
        let setup = Setup {
            others: vec![policies.calls(), others],
            ..Setup::of(service)
        };
        let process = Process::start(&database, setup).await;
        let context = &process.context;
        Self {
            pools: context.db.clone(),
            mesh: context.mesh.clone(),
            clock: context.clock.clone(),
            admin,
            process,
            policies,
            _database: database,
        }
    }

    /// A tenant whose roles hold everything in one data scope each: `all`, `branch`, `own`; `grants` adds to these
    /// `(role, permission, scope)`.
    #[must_use]
    pub fn tenant(&self, grants: &[(&str, &str, DataScope)]) -> TenantId {
        let tenant = TenantId::new();
        let standard = [
            ("all", "*", DataScope::All),
            ("branch", "*", DataScope::BranchAndBelow),
            ("own", "*", DataScope::Own),
        ];
        for (role, permission, scope) in standard.iter().chain(grants) {
            self.allow(tenant, role, permission, *scope, None);
        }
        tenant
    }

    /// Lets a role of a tenant do everything on the rows that meet a condition.
    pub fn grant_if(&self, tenant: TenantId, role: &str, condition: Condition) {
        self.allow(tenant, role, "*", DataScope::All, Some(condition));
    }

    fn allow(
        &self,
        tenant: TenantId,
        role: &str,
        permission: &str,
        scope: DataScope,
        condition: Option<Condition>,
    ) {
        self.policies.change(tenant, |policy| {
            if !policy.roles.iter().any(|known| known.name == role) {
                policy.roles.push(Role {
                    id: role_id(role),
                    name: role.to_owned(),
                    parents: Vec::new(),
                });
            }
            policy.grants.push(Grant {
                id: new_id(),
                role: role_id(role),
                permission: permission.to_owned(),
                effect: Effect::Allow,
                scope,
                condition,
            });
        });
    }

    /// Loads policies again at their next use.
    pub fn forget_policies(&self) {
        self.process.context.decisions.drop_everything();
    }

    /// A user with one role; `branches` are the own one and those below it.
    #[must_use]
    pub fn user(&self, tenant: TenantId, role: &str, branches: &[BranchId]) -> User<'_> {
        let id = UserId::new();
        let grants = SubjectGrants {
            revision: 1,
            assignments: vec![assigned(role)],
            branch: branches.first().map(|b| b.uuid()),
            branches_below: branches.iter().map(|b| b.uuid()).collect(),
            ..SubjectGrants::default()
        };
        self.policies.grant(tenant, id, grants);
        User {
            house: self,
            tenant,
            id,
        }
    }
}

/// A signed-in user.
#[derive(Clone, Copy)]
pub struct User<'h> {
    house: &'h House,
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub id: UserId,
}

impl User<'_> {
    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// A change of the version in `etag`.
    pub async fn change(&self, method: Method, path: &str, etag: &str, body: Option<Value>) -> Answer {
        self.send(method, path, &[("if-match", etag)], body).await
    }

    /// Any request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.exchange(request(&method, path, headers, body.as_ref()))
            .await
    }

    /// Any request, with a body of any kind.
    pub async fn exchange(&self, request: Request<Body>) -> Answer {
        let caller = Identity {
            tenant: self.tenant,
            user: self.id,
        };
        self.house.process.send(Some(caller), request).await
    }

    /// Takes every role from the user, which holds at the next decision.
    pub fn lose_roles(&self) {
        let nothing = SubjectGrants {
            revision: 1,
            ..SubjectGrants::default()
        };
        self.house.policies.grant(self.tenant, self.id, nothing);
        self.house.forget_policies();
    }
}
