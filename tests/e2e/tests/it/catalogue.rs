//! Invariant 2, read from PostgreSQL's own catalogue: every table that exists, not those that we remember.

use stoa_testkit::postgres::TestDatabase;
use tokio_postgres::{Client, Row};

const TABLES: &str = "
    select n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
           pg_get_userbyid(c.relowner) as owner, coalesce(obj_description(c.oid, 'pg_class'), '') as comment,
           exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'
                   and a.attnotnull and not a.attisdropped) as has_tenant
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'm') and n.nspname !~ '^(pg_|information_schema)'
    order by 1, 2";

/// What an app role sees of a tenant's table must be exactly this.
const TENANT_RULE: &str =
    "(tenant_id = ( SELECT (current_setting('stoa.tenant'::text))::uuid AS current_setting))";

async fn catalogue() -> (TestDatabase, Client) {
    let database = stoa_e2e::database().await.expect("the migrated database");
    let client = database.connect_as_superuser().await.expect("connect");
    (database, client)
}

struct Table {
    name: String,
    schema: String,
    has_tenant: bool,
    forced: bool,
    owner: String,
    comment: String,
}

async fn tables(client: &Client) -> Vec<Table> {
    let read = |row: &Row| Table {
        name: format!(
            "{}.{}",
            row.get::<_, String>("nspname"),
            row.get::<_, String>("relname")
        ),
        schema: row.get("nspname"),
        has_tenant: row.get("has_tenant"),
        forced: row.get::<_, bool>("relrowsecurity") && row.get::<_, bool>("relforcerowsecurity"),
        owner: row.get("owner"),
        comment: row.get("comment"),
    };
    client
        .query(TABLES, &[])
        .await
        .expect("tables")
        .iter()
        .map(read)
        .collect()
}

// covers: TN-01, TN-02, DB-06
#[tokio::test]
async fn every_table_is_owned_protected_and_explained() {
    let (_database, client) = catalogue().await;
    let tables = tables(&client).await;
    assert!(
        tables.len() > 25,
        "only {} tables: is the database migrated?",
        tables.len()
    );
    for table in &tables {
        assert_eq!(table.owner, "stoa_owner", "owner of {}", table.name);
        let explained = table.comment.starts_with("system: ") || table.comment.starts_with("untenanted: ");
        assert!(
            table.has_tenant || explained,
            "{} has no tenant_id and no reason in its comment",
            table.name
        );
        // The migration ledger alone is open to every role, for reading.
        assert!(
            table.forced || table.name == "stoa.migration",
            "{} lacks FORCE ROW LEVEL SECURITY",
            table.name
        );
    }
}

// covers: TN-01, TN-02
#[tokio::test]
async fn an_app_role_sees_a_tenants_rows_through_the_tenant_rule_only() {
    let (_database, client) = catalogue().await;
    let policies = client
        .query(
            "select schemaname, tablename, policyname, roles::text[] as roles, qual, with_check, permissive
             from pg_policies order by 1, 2, 3",
            &[],
        )
        .await
        .expect("policies");
    for table in tables(&client)
        .await
        .iter()
        .filter(|t| t.has_tenant && t.schema != "log")
    {
        let app = format!("stoa_{}_app", table.schema);
        let own: Vec<_> = policies
            .iter()
            .filter(|p| {
                format!(
                    "{}.{}",
                    p.get::<_, &str>("schemaname"),
                    p.get::<_, &str>("tablename")
                ) == table.name
            })
            .collect();
        let for_app: Vec<_> = own
            .iter()
            .filter(|p| {
                p.get::<_, Vec<String>>("roles")
                    .iter()
                    .any(|r| *r == app || r == "public")
            })
            .collect();
        assert_eq!(
            for_app.len(),
            1,
            "{} must have exactly one policy for {app}",
            table.name
        );
        assert_eq!(for_app[0].get::<_, &str>("qual"), TENANT_RULE, "{}", table.name);
        assert_eq!(
            for_app[0].get::<_, &str>("with_check"),
            TENANT_RULE,
            "{}",
            table.name
        );
        for policy in own.iter().filter(|p| p.get::<_, &str>("policyname") != "tenant") {
            assert_eq!(
                policy.get::<_, Vec<String>>("roles"),
                [format!("stoa_{}_system", table.schema)]
            );
            assert!(
                table.comment.starts_with("system: "),
                "{} is open to the system role without a reason",
                table.name
            );
        }
    }
}

// covers: DB-06
#[tokio::test]
async fn a_role_reaches_its_own_schema_and_the_log_only() {
    let (_database, client) = catalogue().await;
    let rows = client
        .query(
            "select r.rolname, n.nspname, c.relname
             from pg_roles r, pg_class c join pg_namespace n on n.oid = c.relnamespace
             where r.rolname like 'stoa\\_%\\_app' or r.rolname like 'stoa\\_%\\_system'
             group by 1, 2, 3, r.oid, c.oid, c.relkind, n.oid
             having c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^(pg_|information_schema)'
               and has_table_privilege(r.oid, c.oid, 'select,insert,update,delete,truncate,references,trigger')",
            &[],
        )
        .await
        .expect("privileges");
    for row in &rows {
        let (role, schema, table): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let own = role
            .trim_start_matches("stoa_")
            .trim_end_matches("_app")
            .trim_end_matches("_system");
        let allowed = schema == own || schema == "log" || (schema, table) == ("stoa", "migration");
        assert!(allowed, "{role} reaches {schema}.{table}");
    }
    assert!(rows.len() > 20, "only {} privileges found", rows.len());
    let powerful = client
        .query(
            "select rolname from pg_roles where rolname like 'stoa\\_%' and rolname not in ('stoa_owner', 'stoa_admin')
               and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
             union all
             select distinct pg_get_userbyid(relowner) from pg_class
             where pg_get_userbyid(relowner) like 'stoa\\_%\\_app' or pg_get_userbyid(relowner) like 'stoa\\_%\\_system'",
            &[],
        )
        .await
        .expect("roles");
    assert!(
        powerful.is_empty(),
        "{:?} may do too much",
        powerful.iter().map(|r| r.get::<_, &str>(0)).collect::<Vec<_>>()
    );
}

// covers: DB-08
#[tokio::test]
async fn every_index_of_a_tenants_table_starts_with_the_tenant() {
    let (_database, client) = catalogue().await;
    let rows = client
        .query(
            "select n.nspname, t.relname, i.relname, a.attname,
                    coalesce(obj_description(t.oid, 'pg_class'), '') like 'system: %'
             from pg_index x join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
             join pg_namespace n on n.oid = t.relnamespace
             left join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0]
             where exists (select from pg_attribute b where b.attrelid = t.oid and b.attname = 'tenant_id' and b.attnotnull)
               and n.nspname !~ '^(pg_|information_schema|log$)'",
            &[],
        )
        .await
        .expect("indexes");
    assert!(rows.len() > 10, "only {} indexes", rows.len());
    for row in &rows {
        let (schema, table, index): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let first: Option<&str> = row.get(3);
        // The system role finds rows before it knows their tenant; that it may is explained in the table's comment.
        let for_system_role: bool = row.get(4);
        assert!(
            first == Some("tenant_id") || for_system_role,
            "{schema}.{index} on {table} starts with {first:?}, not with the tenant"
        );
    }
}

// covers: TN-01
#[tokio::test]
async fn views_run_as_their_reader_and_definer_functions_are_pinned() {
    let (_database, client) = catalogue().await;
    let views = client
        .query(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind = 'v' and n.nspname !~ '^(pg_|information_schema)'
               and not coalesce(c.reloptions @> array['security_invoker=true'], false)",
            &[],
        )
        .await
        .expect("views");
    assert!(
        views.is_empty(),
        "not security_invoker: {:?}",
        views.iter().map(|r| r.get::<_, &str>(0)).collect::<Vec<_>>()
    );
    let functions = client
        .query(
            "select n.nspname || '.' || p.proname, coalesce(p.proconfig::text, '') from pg_proc p
             join pg_namespace n on n.oid = p.pronamespace
             where p.prosecdef and n.nspname !~ '^(pg_|information_schema)'",
            &[],
        )
        .await
        .expect("functions");
    for row in &functions {
        let (name, settings): (&str, &str) = (row.get(0), row.get(1));
        assert!(
            name.starts_with("log."),
            "{name} is SECURITY DEFINER; only the log's maintenance may be"
        );
        assert!(
            settings.contains("search_path"),
            "{name} does not pin its search_path"
        );
    }
}
