//! The demo data of `stoa up`: two tenants, five users, a team, Acme's 85 customers. Safe to load again.

mod accounts;

use std::time::Duration;
use stoa_contracts::access::{AssignRole, ProvisionTenant};
use stoa_contracts::customer::ImportCustomers;
use stoa_contracts::identity::CreateUser;
use stoa_contracts::organization::{CreateBranch, CreateOrganization};
use stoa_contracts::user::{ImportTeam, ImportUsers, NewUser};
use stoa_kernel::openapi::stable_id;
use stoa_kernel::{CallError, Mesh, Scope, SystemScope};
use stoa_types::{BranchId, OrganizationId, TeamId, TenantId, UserId};

/// Demo data is written on the platform's own behalf, in this process only.
const DEMO: SystemScope = SystemScope::named("platform.demo");

/// The password of every demo user.
pub const PASSWORD: &str = "stoa-demo-2026";

/// A demo user.
pub struct DemoUser {
    /// Also what the ids derive from.
    pub email: &'static str,
    /// For the banner.
    pub about: &'static str,
    tenant: &'static str,
    name: &'static str,
    title: &'static str,
    role: &'static str,
    branch: Option<&'static str>,
}

/// The users, in the banner's order.
pub const USERS: &[DemoUser] = &[
    DemoUser {
        email: "admin@acme.test",
        about: "Acme: administrator, sees and does everything",
        tenant: "acme",
        name: "Ada Admin",
        title: "Administrator",
        role: "admin",
        branch: None,
    },
    DemoUser {
        email: "manager@acme.test",
        about: "Acme: manager of Sales, sees the branches below",
        tenant: "acme",
        name: "Mara Manager",
        title: "Head of Sales",
        role: "manager",
        branch: Some("acme/sales"),
    },
    DemoUser {
        email: "alice@acme.test",
        about: "Acme: representative in Sales East, sees her own customers",
        tenant: "acme",
        name: "Alice Example",
        title: "Sales agent",
        role: "representative",
        branch: Some("acme/sales/east"),
    },
    DemoUser {
        email: "bob@acme.test",
        about: "Acme: representative in Sales West, sees his own customers",
        tenant: "acme",
        name: "Bob Example",
        title: "Sales agent",
        role: "representative",
        branch: Some("acme/sales/west"),
    },
    DemoUser {
        email: "admin@globex.test",
        about: "Globex: administrator of the other tenant",
        tenant: "globex",
        name: "Gus Admin",
        title: "Administrator",
        role: "admin",
        branch: None,
    },
];

const TENANTS: &[(&str, &str)] = &[("acme", "Acme Corporation"), ("globex", "Globex")];

/// Branches with parent and name; parents first.
const BRANCHES: &[(&str, &str, Option<&str>, &str)] = &[
    ("acme", "acme/sales", None, "Sales"),
    ("acme", "acme/sales/east", Some("acme/sales"), "Sales East"),
    ("acme", "acme/sales/west", Some("acme/sales"), "Sales West"),
    ("globex", "globex/trade", None, "Trade"),
];

fn tenant_id(slug: &str) -> TenantId {
    TenantId(stable_id(&format!("demo tenant {slug}")))
}
fn user_id(email: &str) -> UserId {
    UserId(stable_id(&format!("demo user {email}")))
}
fn branch_id(key: &str) -> BranchId {
    BranchId(stable_id(&format!("demo branch {key}")))
}

/// Loads the demo data; what is there already stays as it is.
///
/// # Errors
/// The first call that failed.
pub async fn seed(mesh: &Mesh) -> Result<(), CallError> {
    for (slug, name) in TENANTS {
        let mut scope = scope(slug);
        let provision = ProvisionTenant {
            tenant: tenant_id(slug),
            slug: (*slug).to_owned(),
            name: (*name).to_owned(),
            plan: "free".to_owned(),
        };
        mesh.call(&mut scope, provision).await?;
        let organization = OrganizationId(stable_id(&format!("demo organization {slug}")));
        let create = CreateOrganization {
            id: organization,
            name: (*name).to_owned(),
        };
        mesh.call(&mut scope, create).await?;
        for (_, key, parent, name) in BRANCHES.iter().filter(|(tenant, ..)| tenant == slug) {
            let create = CreateBranch {
                id: branch_id(key),
                organization,
                parent: parent.map(branch_id),
                name: (*name).to_owned(),
            };
            mesh.call(&mut scope, create).await?;
        }
    }
    for (slug, _) in TENANTS {
        import_users(mesh, slug).await?;
    }
    for user in USERS {
        create_user(mesh, user).await?;
    }
    let team = ImportTeam {
        id: TeamId(stable_id("demo team acme Sales East")),
        name: "Sales East".to_owned(),
        members: vec![user_id("alice@acme.test"), user_id("manager@acme.test")],
    };
    mesh.call(&mut scope("acme"), team).await?;
    let owners = [
        ("alice@acme.test", "acme/sales/east"),
        ("bob@acme.test", "acme/sales/west"),
    ]
    .map(|(email, branch)| (user_id(email), branch_id(branch)));
    let customers = accounts::acme(&owners);
    mesh.call(&mut scope("acme"), ImportCustomers { customers })
        .await?;
    let customers = accounts::globex(user_id("admin@globex.test"), branch_id("globex/trade"));
    mesh.call(&mut scope("globex"), ImportCustomers { customers })
        .await?;
    Ok(())
}

/// The profiles come before the accounts, whose names they are.
async fn import_users(mesh: &Mesh, tenant: &str) -> Result<(), CallError> {
    let of_tenant = USERS.iter().filter(|user| user.tenant == tenant);
    let users = of_tenant.map(|user| NewUser {
        id: user_id(user.email),
        email: user.email.to_owned(),
        name: user.name.to_owned(),
        title: Some(user.title.to_owned()),
    });
    let users = users.collect();
    mesh.call(&mut scope(tenant), ImportUsers { users }).await?;
    Ok(())
}

async fn create_user(mesh: &Mesh, user: &DemoUser) -> Result<(), CallError> {
    let mut scope = scope(user.tenant);
    let id = user_id(user.email);
    let create = CreateUser {
        id,
        email: user.email.to_owned(),
        name: user.name.to_owned(),
        password: PASSWORD.to_owned(),
    };
    mesh.call(&mut scope, create).await?;
    let assign = AssignRole {
        user: id,
        role: user.role.to_owned(),
        branch: user.branch.map(branch_id),
    };
    mesh.call(&mut scope, assign).await?;
    Ok(())
}

fn scope(tenant: &str) -> Scope {
    DEMO.scope(tenant_id(tenant), Duration::from_secs(30))
}
