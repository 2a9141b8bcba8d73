//! The access service on a real PostgreSQL, as one or more processes, with a user service that knows every user but
//! [`NO_USER`].

use http::StatusCode;
use serde_json::Value;
use std::time::Duration;
use stoa_contracts::access::{AssignRole, ProvisionTenant};
use stoa_contracts::user::{GetUser, UserCard};
use stoa_kernel::mesh::{Call, Calls};
use stoa_kernel::request::Identity;
use stoa_kernel::service::{Catalogue, ServiceContext};
use stoa_kernel::{CallError, Problem, SystemScope};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_testkit::service::{self, Setup};
use stoa_types::{BranchId, TenantId, UserId};
use uuid::Uuid;

pub(crate) use stoa_testkit::service::until;

pub(crate) const TEST: SystemScope = SystemScope::named("platform.demo");
/// The one user who does not exist.
pub(crate) const NO_USER: UserId = UserId(Uuid::from_u128(404));
/// A user who is archived.
pub(crate) const ARCHIVED_USER: UserId = UserId(Uuid::from_u128(410));
const BUDGET: Duration = Duration::from_secs(10);

/// A resource of another service, as that would declare it.
fn customers() -> stoa_policy::Schema {
    stoa_policy::Schema::with_owner_and_branch("owner_id", "branch_id").with(
        "status",
        stoa_policy::AttributeType::Text,
        "status",
    )
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue {
        resources: [("customers".to_owned(), customers())].into(),
        ..service::catalogue(&stoa_access::service())
    }
}

/// Migrates and seeds as the superuser.
pub(crate) async fn migrate(database: &postgres::Database) -> anyhow::Result<()> {
    service::migrate(database, &stoa_access::service(), &catalogue()).await
}

pub(crate) async fn database() -> TestDatabase {
    service::clone_of(stoa_access::service, |_| catalogue()).await
}

fn user(id: UserId) -> Result<UserCard, Problem> {
    if id == NO_USER {
        return Err(Problem::not_found("user"));
    }
    Ok(UserCard {
        id,
        email: "user@acme.test".to_owned(),
        name: "User".to_owned(),
        locale: "en".to_owned(),
        archived: id == ARCHIVED_USER,
        version: 1,
    })
}

/// One process that runs the access service and follows it.
pub(crate) struct Process {
    pub(crate) context: ServiceContext,
    process: service::Process,
}

impl Process {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let setup = Setup {
            catalogue: catalogue(),
            others: vec![Calls::new().on(|_, GetUser { id }| async move { user(id) })],
            ..Setup::of(stoa_access::service)
        };
        let process = service::Process::start(database, setup).await;
        Self {
            context: process.context.clone(),
            process,
        }
    }

    pub(crate) async fn call<C: Call>(&self, tenant: TenantId, call: C) -> Result<C::Reply, CallError> {
        let mut scope = TEST.scope(tenant, BUDGET);
        self.context.mesh.call(&mut scope, call).await
    }

    /// A tenant with one administrator.
    pub(crate) async fn tenant(&self, slug: &str) -> (TenantId, UserId) {
        let tenant = TenantId::new();
        let call = ProvisionTenant {
            tenant,
            slug: slug.into(),
            name: slug.into(),
            plan: "free".into(),
        };
        assert!(self.call(tenant, call).await.unwrap().created);
        let admin = UserId::new();
        self.assign(tenant, admin, "admin", None).await;
        (tenant, admin)
    }

    pub(crate) async fn assign(&self, tenant: TenantId, user: UserId, role: &str, branch: Option<BranchId>) {
        let call = AssignRole {
            user,
            role: role.into(),
            branch,
        };
        self.call(tenant, call).await.unwrap();
    }

    /// A request of a signed-in user.
    pub(crate) async fn send(
        &self,
        (tenant, user): (TenantId, UserId),
        request: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let request = service::request(&method.parse().unwrap(), path, headers, body.as_ref());
        let answer = self.process.send(Some(Identity { tenant, user }), request).await;
        Answer {
            status: StatusCode::from_u16(answer.status).unwrap(),
            headers: answer.headers,
            body: answer.body,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body
    }
}
