//! Tenants, users and customers, made by SQL in the services' tables of the benchmark's own database.
//!
//! Each tenant has the default roles, a branch with four below it, and ten users: an administrator who sees all
//! customers, a manager of the upper branch who sees them through it, and eight representatives, two in each lower
//! branch, who see their own.

pub(crate) mod tokens;

use anyhow::Context;
use rand::Rng;
use rand::rngs::SmallRng;
use tokio_postgres::Client;
use uuid::Uuid;

/// Users of each tenant.
pub(crate) const USERS: u32 = 10;
/// The first representative; the users before are the administrator and the manager.
const FIRST_REPRESENTATIVE: u32 = 2;
const REPRESENTATIVES: u32 = USERS - FIRST_REPRESENTATIVE;

/// The same ids as [`id`] makes.
const ID: &str =
    "create function pg_temp.id(kind int, tenant int, n bigint) returns uuid immutable language sql as $$
    select (lpad(to_hex(1717986918400 + n), 12, '0') || '7' || lpad(to_hex(kind), 3, '0') || '8'
      || lpad(to_hex(tenant), 15, '0'))::uuid $$";

/// `$1` tenants. Roles 0, 1, 2 are representative, manager, administrator; branch 0 is above the others.
const ACCESS: &str = "
  with t as (select n::int as t, pg_temp.id(1, n::int, 0) as tenant from generate_series(0, $1 - 1) n),
  tenants as (
    insert into access.tenant (id, slug, name, plan, created_at, created_by, updated_at, updated_by)
    select tenant, 'tenant-' || t, 'Tenant ' || t, 'free', now(), 'bench', now(), 'bench' from t),
  revisions as (insert into access.revision (tenant_id, revision) select tenant, 1 from t),
  roles as (
    insert into access.role (tenant_id, id, name, created_at, created_by, updated_at, updated_by)
    select tenant, pg_temp.id(2, t, r.n), r.name, now(), 'bench', now(), 'bench'
    from t, (values (0, 'representative'), (1, 'manager'), (2, 'admin')) r (n, name)
    returning tenant_id),
  parents as (
    insert into access.role_parent (tenant_id, role_id, parent_id)
    select tenant, pg_temp.id(2, t, 1), pg_temp.id(2, t, 0) from t),
  grants as (
    insert into access.role_grant (tenant_id, id, role_id, permission, effect, scope, created_at, created_by)
    select tenant, pg_temp.id(3, t, g.n), pg_temp.id(2, t, g.role), g.permission, 'allow', g.scope, now(), 'bench'
    from t, (values (0, 0, 'customers:read', 'own'), (1, 0, 'customers:create', 'own'),
                    (2, 0, 'customers:update', 'own'), (3, 0, 'customers:archive', 'own'),
                    (4, 0, 'organizations:read', 'all'), (5, 0, 'branches:read', 'all'),
                    (6, 1, 'customers:*', 'branchAndBelow'), (7, 2, '*', 'all')) g (n, role, permission, scope)),
  users as (
    select tenant, t, u.n, pg_temp.id(4, t, u.n) as id,
      case u.n when 0 then 2 when 1 then 1 else 0 end as role,
      case u.n when 0 then null when 1 then 0 else 1 + (u.n - 2) % 4 end as branch
    from t, generate_series(0, $2 - 1) u (n)),
  assignments as (
    insert into access.assignment (tenant_id, id, user_id, role_id, created_at, created_by)
    select tenant, pg_temp.id(5, t, n), id, pg_temp.id(2, t, role), now(), 'bench' from users),
  subjects as (
    insert into access.subject (tenant_id, user_id, branch_id, updated_at, updated_by)
    select tenant, id, pg_temp.id(6, t, branch), now(), 'bench' from users),
  branches as (
    insert into access.branch (tenant_id, id, version, organization_id)
    select tenant, pg_temp.id(6, t, b), 1, pg_temp.id(8, t, 0) from t, generate_series(0, 4) b)
  insert into access.branch_closure (tenant_id, ancestor_id, branch_id)
  select tenant, pg_temp.id(6, t, a), pg_temp.id(6, t, b)
  from t, generate_series(0, 4) a, generate_series(0, 4) b where a = b or a = 0";

/// `$1` customers over `$2` tenants, in the order of their ids: each tenant's lie scattered, as they would.
const CUSTOMERS: &str = "
  insert into customer.customer (tenant_id, id, name, name_key, email, phone, status, sector, revenue_minor, employees,
    office_location, branch_id, owner_id, version, created_at, created_by, updated_at, updated_by)
  select pg_temp.id(1, t, 0), pg_temp.id(7, t, k), 'Customer ' || md5(n::text), 'customer ' || md5(n::text),
    'customer' || n || '@example.test', '+1555' || lpad(n::text, 7, '0'),
    (array['lead', 'active', 'inactive', 'lost'])[1 + k / 8 % 4], 'retail', n * 100, n % 5000, 'Springfield',
    pg_temp.id(6, t, 1 + k % 4), pg_temp.id(4, t, 2 + k % 8), 1, now(), 'bench', now(), 'bench'
  from (select n, (n % $2)::int as t, n / $2 as k from generate_series(0, $1::bigint - 1) n) c";

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) customers: u32,
    pub(crate) tenants: u32,
}

/// A user and a customer that the user may read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) tenant: u32,
    pub(crate) user: u32,
    pub(crate) customer: Uuid,
}

impl Shape {
    /// Any user of any tenant, and any customer within the user's scope.
    pub(crate) fn request(self, random: &mut SmallRng) -> Request {
        let tenant = random.random_range(0..self.tenants);
        let user = random.random_range(0..USERS);
        let any = random.random_range(0..self.customers / self.tenants / REPRESENTATIVES) * REPRESENTATIVES;
        // Customer k belongs to representative k modulo their number.
        let whose = match user.checked_sub(FIRST_REPRESENTATIVE) {
            Some(representative) => representative,
            None => random.random_range(0..REPRESENTATIVES),
        };
        Request {
            tenant,
            user,
            customer: id(7, tenant, any + whose),
        }
    }
}

pub(crate) fn tenant(tenant: u32) -> Uuid {
    id(1, tenant, 0)
}

pub(crate) fn user(tenant: u32, user: u32) -> Uuid {
    id(4, tenant, user)
}

/// Shaped and ordered like a UUIDv7.
fn id(kind: u16, tenant: u32, n: u32) -> Uuid {
    let time = 1_717_986_918_400 + u128::from(n);
    Uuid::from_u128(time << 80 | 7 << 76 | u128::from(kind) << 64 | 8 << 60 | u128::from(tenant))
}

/// Fills the tables, and leaves nothing for PostgreSQL to do later.
pub(crate) async fn fill(admin: &Client, shape: Shape) -> anyhow::Result<()> {
    let (customers, tenants) = (i64::from(shape.customers), i64::from(shape.tenants));
    admin
        .batch_execute(ID)
        .await
        .context("making the ids' function")?;
    let access = ACCESS
        .replace("$1", &tenants.to_string())
        .replace("$2", &USERS.to_string());
    admin
        .batch_execute(&access)
        .await
        .context("making tenants and users")?;
    let rows = CUSTOMERS
        .replace("$1", &customers.to_string())
        .replace("$2", &tenants.to_string());
    admin.batch_execute(&rows).await.context("making customers")?;
    admin
        .batch_execute("vacuum (analyze)")
        .await
        .context("vacuuming")?;
    admin
        .batch_execute("checkpoint")
        .await
        .context("writing everything out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn ids_are_uuids_of_version_7() {
        let id = id(7, 99, 9_999);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.to_string(), "01900000-270f-7007-8000-000000000063");
    }

    #[test]
    fn representatives_ask_for_their_own_customers() {
        let shape = Shape {
            customers: 8_000,
            tenants: 10,
        };
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..1_000 {
            let Request {
                tenant,
                user,
                customer,
            } = shape.request(&mut random);
            let own = (0..800)
                .find(|k| id(7, tenant, *k) == customer)
                .expect("a customer that exists");
            assert!(user < FIRST_REPRESENTATIVE || own % REPRESENTATIVES == user - FIRST_REPRESENTATIVE);
        }
    }
}
