use crate::branches::role_with;
use crate::events::{branch, reads};
use crate::harness::{Process, catalogue, database, migrate, until};
use stoa_contracts::organization::GetBranch;
use stoa_kernel::mesh::Calls;
use stoa_kernel::{Problem, Scope};
use stoa_testkit::postgres::shared;
use stoa_testkit::service::{self, Setup};
use stoa_types::{BranchId, UserId};

/// A tenant of the release before, with a grant of each scope and a branch.
const BEFORE: &str = "
  insert into access.revision values ('00000000-0000-0000-0000-000000000001', 7);
  insert into access.role (tenant_id, id, name, created_at, created_by, updated_at, updated_by)
    values ('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'r', now(), '', now(), '');
  insert into access.role_grant (tenant_id, id, role_id, permission, effect, scope, created_at, created_by)
    select tenant_id, gen_random_uuid(), id, 'a:' || scope, 'allow', scope, now(), ''
    from access.role, unnest(array['own', 'branch', 'all']) scope;
  insert into access.branch values ('00000000-0000-0000-0000-000000000001', gen_random_uuid(), 1)";

// covers: AZ-04, DB-01
#[tokio::test]
async fn grants_of_the_release_before_keep_their_rows() {
    let server = shared().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let mut before = stoa_access::service();
    before.migrations = &before.migrations[..1];
    before.seed = None;
    service::migrate(&database, &before, &catalogue()).await.unwrap();
    let client = database.connect_as_superuser().await.unwrap();
    client.batch_execute(BEFORE).await.unwrap();
    migrate(&database).await.unwrap();

    let sql = "select permission, scope from access.role_grant order by permission";
    let rows = client.query(sql, &[]).await.unwrap();
    let scopes: Vec<(&str, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [("a:all", "all"), ("a:branch", "branchAndBelow"), ("a:own", "own")];
    assert_eq!(scopes, expected);
    let forced = "select relforcerowsecurity from pg_class where oid = 'access.role_grant'::regclass";
    assert!(client.query_one(forced, &[]).await.unwrap().get::<_, bool>(0));
}

// covers: AZ-04, DB-01
#[tokio::test]
async fn branches_of_the_release_before_get_their_organization() {
    let database = database().await;
    let process = Process::start(&database).await;
    let admin = process.tenant("upgraded").await;
    role_with(&process, admin, "auditor", "organization").await;
    let [gone, north, south] = [(); 3].map(|()| BranchId::new());
    let auditor = (admin.0, UserId::new());
    process.assign(admin.0, auditor.1, "auditor", Some(north)).await;
    let client = database.connect_as_superuser().await.unwrap();
    for id in [gone, north, south] {
        let (tenant, id) = (admin.0.uuid(), id.uuid());
        let known = "insert into access.branch (tenant_id, id, version) values ($1, $2, 1)";
        client.execute(known, &[&tenant, &id]).await.unwrap();
        let placed = "insert into access.branch_closure values ($1, $2, $2)";
        client.execute(placed, &[&tenant, &id]).await.unwrap();
    }
    let owner = UserId::new();
    assert!(reads(&process, auditor, owner, north).await);
    assert!(!reads(&process, auditor, owner, south).await);

    let answer = move |_: Scope, call: GetBranch| async move {
        let found = (call.id != gone).then(|| branch(call.id, &[], 1));
        found.ok_or_else(|| Problem::not_found("branch"))
    };
    let setup = Setup {
        catalogue: catalogue(),
        others: vec![Calls::new().on(answer)],
        ..Setup::of(stoa_access::service)
    };
    let _asking = service::Process::start(&database, setup).await;
    until("the organization is known", async || {
        reads(&process, auditor, owner, south).await
    })
    .await;
}
