//! What the API costs in PostgreSQL: with tens of thousands of rows of several tenants, no list or look-up reads a
//! table from end to end, and the number of statements does not grow with the number of rows.
//!
//! The statements are the running platform's own, under its own roles: `auto_explain` writes each with its plan into
//! the server's log.

use crate::api::Api;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use stoa_testkit::platform::{Platform, Topology};
use stoa_testkit::postgres::TestDatabase;
use tokio_postgres::Client;

/// Gives Acme ten thousand customers more, and forty thousand to others, each with its timeline; and branches.
const FILL: &str = "
    create temp table t as select n, case when n % 5 = 0 then (select tenant_id from customer.customer
        group by 1 order by count(*) desc limit 1) else md5('t' || n % 20)::uuid end tenant
      from generate_series(1, 50000) n;
    insert into customer.customer (tenant_id, id, name, name_key, email, status, revenue_minor, branch_id,
        owner_id, version, created_at, created_by, updated_at, updated_by, archived_at)
      select tenant, md5('c' || n)::uuid, 'Customer ' || n, 'customer ' || n, n || '@x.example',
        (array['lead', 'active', 'inactive', 'lost'])[1 + n % 4], n, md5('b' || n % 50)::uuid,
        md5('o' || n % 200)::uuid, 1, now() - n * interval '1 s', 'x', now() - n * interval '1 s', 'x',
        case when n % 15 = 0 then now() end
      from t;
    insert into customer.activity (tenant_id, id, about, at, kind, actor, details)
      select tenant, md5('a' || n)::uuid, md5('c' || n)::uuid, now(), 'created', 'x', '{}' from t;
    insert into customer.branch select distinct tenant, md5('b' || n)::uuid, false, 1 from t where n <= 5000;
    insert into organization.organization (tenant_id, id, name, name_key, status, version, created_at, created_by,
        updated_at, updated_by)
      select tenant, md5('og' || n)::uuid, 'Org ' || n, 'org ' || n, 'active', 1, now(), 'x', now(), 'x'
      from t where n <= 5000;
    insert into organization.branch (tenant_id, id, organization_id, name, name_key, path, version, created_at,
        created_by, updated_at, updated_by)
      select tenant, md5('ob' || n)::uuid, md5('og' || n)::uuid, 'Branch ' || n, 'branch ' || n,
        array[md5('ob' || n)::uuid], 1, now(), 'x', now(), 'x' from t where n <= 5000;
    insert into contact.contact (tenant_id, id, name, name_key, email, branch_id, owner_id, version, created_at,
        created_by, updated_at, updated_by)
      select tenant, md5('p' || n)::uuid, 'Contact ' || n, 'contact ' || n, n || '@x.example',
        md5('b' || n % 50)::uuid, md5('o' || n % 200)::uuid, 1, now() - n * interval '1 s', 'x', now(), 'x' from t;
    insert into contact.link (tenant_id, contact_id, customer_id, linked_at, linked_by)
      select tenant, md5('p' || n)::uuid, md5('c' || n)::uuid, now(), 'x' from t;
    insert into contact.interaction (tenant_id, id, kind, subject, body, occurred_at, branch_id, owner_id, version,
        created_at, created_by, updated_at, updated_by)
      select tenant, md5('i' || n)::uuid, (array['call', 'meeting', 'email', 'note'])[1 + n % 4], 'Subject', '',
        now() - n * interval '1 s', md5('b' || n % 50)::uuid, md5('o' || n % 200)::uuid, 1, now(), 'x', now(), 'x'
      from t;
    insert into contact.party (tenant_id, interaction_id, kind, party_id)
      select tenant, md5('i' || n)::uuid, 'customer', md5('c' || n / 20)::uuid from t;
    analyze contact.contact; analyze contact.link; analyze contact.interaction; analyze contact.party;
    insert into \"user\".person (tenant_id, id, name, name_key, email, handle, locale, timezone, version, created_at,
        created_by, updated_at, updated_by)
      select tenant, md5('p' || n)::uuid, 'User ' || n, 'user ' || n, n || '@x.example', 'user' || n, 'en', 'UTC', 1,
        now() - n * interval '1 s', 'x', now(), 'x' from t where n <= 20000;
    insert into \"user\".person_word (tenant_id, person_id, word)
      select tenant, md5('p' || n)::uuid, unnest(array['user ' || n, n::text, 'user' || n, n || '@x.example'])
      from t where n <= 20000;
    insert into \"user\".team (tenant_id, id, name, name_key, version, created_at, created_by, updated_at, updated_by)
      select tenant, md5('m' || n)::uuid, 'Team ' || n, 'team ' || n, 1, now(), 'x', now(), 'x' from t where n <= 5000;
    insert into \"user\".team_member (tenant_id, team_id, person_id)
      select tenant, md5('m' || n)::uuid, md5('p' || n + k * 100)::uuid from t, generate_series(0, 4) k where n <= 5000;
    analyze \"user\".person; analyze \"user\".person_word; analyze \"user\".team; analyze \"user\".team_member;
    analyze customer.customer; analyze customer.activity; analyze customer.branch;
    analyze organization.organization; analyze organization.branch;";

/// The tables that [`FILL`] has filled, as plans name them.
const FILLED: &[&str] = &[
    "customer",
    "activity",
    "branch",
    "organization",
    "contact",
    "link",
    "interaction",
    "party",
    "person",
    "person_word",
    "team",
    "team_member",
];

/// The plans in the server's log.
struct Plans {
    file: PathBuf,
    database: String,
}

/// One statement as it ran.
struct Ran {
    role: String,
    plan: String,
}

impl Plans {
    /// Makes every new session of the database write its plans.
    async fn watch(database: &TestDatabase, client: &Client) -> Self {
        let name = database.name().to_owned();
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "auto_explain.log_level = 'log'",
        ] {
            client
                .batch_execute(&format!("alter database {name} set {setting}"))
                .await
                .expect("auto_explain");
        }
        Self {
            file: database.log_file().to_owned(),
            database: name,
        }
    }

    fn position(&self) -> u64 {
        std::fs::metadata(&self.file).expect("the server's log").len()
    }

    /// What services' app roles ran since `position`.
    fn since(&self, position: u64) -> Vec<Ran> {
        let mut file = File::open(&self.file).expect("the server's log");
        file.seek(SeekFrom::Start(position)).expect("seek");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("read");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // An entry's further lines begin with a tab.
        let mut found: Vec<Ran> = Vec::new();
        let mut ours = false;
        for line in text.lines() {
            if line.starts_with('\t') {
                if let (true, Some(last)) = (ours, found.last_mut()) {
                    last.plan.push_str(line);
                    last.plan.push('\n');
                }
                continue;
            }
            let role = line
                .split(&format!("@{} ", self.database))
                .next()
                .filter(|r| r.len() < line.len());
            let role = role.and_then(|r| r.rsplit(' ').next()).unwrap_or_default();
            ours = role.ends_with("_app") && line.contains("plan:");
            if ours {
                found.push(Ran {
                    role: role.to_owned(),
                    plan: String::new(),
                });
            }
        }
        found
    }
}

impl Plans {
    /// How often each statement runs in one request for a list. Of some requests: what consumers and jobs do meanwhile is
    /// in the log, too, but does not come with every request.
    async fn of_each_request(&self, api: &Api, list: &str, limit: usize) -> BTreeMap<String, usize> {
        const REQUESTS: usize = 20;
        let from = self.position();
        for _ in 0..REQUESTS {
            assert_eq!(api.get(&format!("{list}?limit={limit}")).await.status, 200);
        }
        let mut counts = BTreeMap::new();
        for ran in self.since(from) {
            *counts
                .entry(format!("{}: {}", ran.role, shape(&ran.plan)))
                .or_default() += 1;
        }
        counts.retain(|_, count| {
            *count /= REQUESTS;
            *count > 0
        });
        counts
    }
}

/// The statement of a plan, whatever the numbers in it.
fn shape(plan: &str) -> String {
    let text = plan.lines().take_while(|line| !line.contains("(cost="));
    let text: Vec<&str> = text.map(str::trim).collect();
    text.join(" ")
        .split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("#")
}

/// A plan without its statement, whose text may say anything.
fn nodes(plan: &str) -> String {
    let nodes: Vec<&str> = plan.lines().skip_while(|line| !line.contains("(cost=")).collect();
    nodes.join("\n")
}

// covers: DB-08
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_look_ups_use_their_index() {
    let database = stoa_e2e::database().await.expect("the migrated database");
    let client = database.connect_as_superuser().await.expect("connect");
    client.batch_execute(FILL).await.expect("rows");
    let plans = Plans::watch(&database, &client).await;
    let platform = &Platform::start(Topology::OneProcess, database)
        .await
        .expect("the platform");
    let admin = Api::sign_in(platform, "admin@acme.test").await;
    let alice = Api::sign_in(platform, "alice@acme.test").await;
    let manager = Api::sign_in(platform, "manager@acme.test").await;

    let customer = alice.get("/api/customers?limit=1").await.items()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let organization = admin.get("/api/organizations?limit=1").await.items()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let branches = admin
        .get(&format!("/api/organizations/{organization}/branches?limit=1"))
        .await;
    let branch = branches.items()[0]["id"].as_str().unwrap().to_owned();
    let teams = admin.get("/api/teams?search=team%2012&limit=1").await;
    let team = teams.items()[0]["id"].as_str().unwrap().to_owned();
    let members = admin.get(&format!("/api/users?teamId={team}&limit=1")).await;
    let person = members.items()[0]["id"].as_str().unwrap().to_owned();
    let mut paths = vec![
        format!("/api/users/{person}"),
        "/api/users/me".to_owned(),
        "/api/users".to_owned(),
        "/api/users?sort=-createdAt".to_owned(),
        "/api/users?search=user%2012".to_owned(),
        "/api/users?search=1".to_owned(),
        "/api/users?archived=true".to_owned(),
        "/api/users?dataScope=own".to_owned(),
        format!("/api/users?teamId={team}"),
        format!("/api/users?teamId={team}&search=user"),
        format!("/api/teams/{team}"),
        "/api/teams".to_owned(),
        "/api/teams?sort=-updatedAt".to_owned(),
        "/api/teams?search=team%2012".to_owned(),
        format!("/api/teams?userId={person}"),
        format!("/api/customers/{customer}"),
        format!("/api/customers/{customer}/activities"),
        "/api/customers?search=customer%2012".to_owned(),
        "/api/customers?search=12@x".to_owned(),
        "/api/customers?status=lead".to_owned(),
        "/api/customers?archived=true".to_owned(),
        "/api/customers?dataScope=own".to_owned(),
        "/api/customers?dataScope=branch".to_owned(),
        format!("/api/organizations/{organization}"),
        format!("/api/organizations/{organization}/branches"),
        format!("/api/branches/{branch}"),
        format!("/api/branches/{branch}/children"),
        "/api/organizations".to_owned(),
        "/api/organizations?sort=-createdAt".to_owned(),
        "/api/contacts?search=contact%2012".to_owned(),
        "/api/contacts?dataScope=own".to_owned(),
        format!("/api/contacts?customerId={customer}"),
        format!("/api/contacts/{customer}"),
        format!("/api/contacts/{customer}/customers"),
        "/api/interactions".to_owned(),
        "/api/interactions?kind=call&from=2026-01-01T00:00:00Z".to_owned(),
        "/api/interactions?mentioned=me".to_owned(),
        format!("/api/interactions?customerId={customer}"),
        format!("/api/interactions?contactId={customer}"),
        format!("/api/interactions/{customer}"),
    ];
    for sort in ["name", "createdAt", "updatedAt", "revenueMinor", "status"] {
        for sign in ["", "-"] {
            let list = format!("/api/customers?sort={sign}{sort}&limit=5");
            let page = admin.get(&list).await;
            paths.push(format!(
                "{list}&cursor={}",
                page.body["nextCursor"].as_str().expect("more")
            ));
            paths.push(list);
        }
    }
    for sort in ["name", "-createdAt", "updatedAt"] {
        paths.push(format!("/api/contacts?sort={sort}&limit=5"));
    }
    let mut statements = 0;
    for path in &paths {
        for api in [&admin, &manager, &alice] {
            let from = plans.position();
            let answer = api.get(path).await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {answer:?}");
            let ran: Vec<Ran> = plans.since(from);
            statements += ran.len();
            for Ran { role, plan } in &ran {
                for table in FILLED {
                    let whole = format!("Seq Scan on {table} ");
                    assert!(
                        !nodes(plan).contains(&whole),
                        "{path} reads the whole table {table} as {role}:\n{plan}"
                    );
                }
            }
            let tables = ran
                .iter()
                .filter(|r| {
                    FILLED
                        .iter()
                        .any(|t| nodes(&r.plan).contains(&format!(" on {t} ")))
                })
                .count();
            assert!(tables <= 2, "{path} takes {tables} statements");
        }
    }
    assert!(
        statements > paths.len(),
        "only {statements} plans seen: is the log still where it was?"
    );

    // As many statements for a hundred rows as for one.
    for list in [
        "/api/customers",
        "/api/organizations",
        "/api/users",
        "/api/teams",
        "/api/contacts",
        "/api/interactions",
        "/api/iam/roles",
        "/api/iam/assignments",
        "/api/iam/changes",
        "/api/admin/routes",
    ] {
        let (one, hundred) = (
            plans.of_each_request(&admin, list, 1).await,
            plans.of_each_request(&admin, list, 100).await,
        );
        assert!(!one.is_empty(), "{list}: no statements seen");
        assert_eq!(one, hundred, "{list}");
    }
}
