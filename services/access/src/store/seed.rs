//! What every migration run seeds from the services' declarations: permissions and the platform's endpoint rules.

use super::{LOCK_CHANGES, NOTIFY};
use crate::CHANGE_LOCK;
use serde_json::{Value, json};
use stoa_kernel::migrate::SeedStatement;
use stoa_kernel::params;

const PERMISSIONS: &str = "
  with wanted as (
    select * from jsonb_to_recordset($1) as w(id uuid, name text, service text, description text)
  ), gone as (
    delete from access.permission p where not exists (select from wanted w where w.name = p.name)
  )
  insert into access.permission (id, name, service, description)
  select id, name, service, description from wanted
  on conflict (name) do update set service = excluded.service, description = excluded.description";

/// A row that an operator edited has another origin and stays as it is. Rows of endpoints that are no more go: the
/// truth is what this release declares.
const RULES: &str = "
  with wanted as (
    select * from jsonb_to_recordset($1) as w(id uuid, match_key text, pattern text, method text, requirement jsonb)
  ), gone as (
    delete from access.platform_rule r
    where r.origin = 'seed' and not exists (select from wanted w where w.match_key = r.match_key)
    returning r.match_key
  ), saved as (
    insert into access.platform_rule as r (id, match_key, pattern, method, requirement, origin, updated_at)
    select id, match_key, pattern, method, requirement, 'seed', now() from wanted
    on conflict (match_key) do update
      set pattern = excluded.pattern, requirement = excluded.requirement, version = r.version + 1, updated_at = now()
      where r.origin = 'seed'
        and (r.pattern, r.requirement) is distinct from (excluded.pattern, excluded.requirement)
    returning r.match_key
  )
  insert into access.platform_change (seq, revision, kind, actor, after, at)
  select nextval('access.change_seq'), coalesce((select max(revision) from access.platform_change), 0) + 1,
    'platform_rules.seeded', 'migration',
    jsonb_build_object('saved', (select coalesce(jsonb_agg(match_key order by match_key), '[]') from saved),
                       'removed', (select coalesce(jsonb_agg(match_key order by match_key), '[]') from gone)),
    now()
  where exists (select from saved) or exists (select from gone)";

/// The statements, given rows as JSON.
pub(crate) fn statements(permissions: Vec<Value>, rules: Vec<Value>) -> Vec<SeedStatement> {
    let statement = |sql, params| SeedStatement { sql, params };
    vec![
        statement(LOCK_CHANGES, params![CHANGE_LOCK]),
        statement(PERMISSIONS, params![json!(permissions)]),
        statement(RULES, params![json!(rules)]),
        statement(NOTIFY, params![]),
    ]
}
