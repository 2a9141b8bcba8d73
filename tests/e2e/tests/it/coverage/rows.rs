//! The rows that a tenant owns, as a fingerprint and as what must not reach anybody else.

use super::examples::Example;
use crate::api::Answer;
use std::collections::{BTreeMap, BTreeSet};
use stoa_testkit::platform::Platform;
use tokio_postgres::Client;

const TABLES: &str = "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'p') and a.attname = 'tenant_id' and not c.relispartition";

/// Every id in a text.
const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const UUID_LEN: usize = 36;

/// Columns whose values a person would recognise.
const NAMES: [&str; 6] = ["name", "email", "label", "subject", "handle", "display_name"];
/// A shorter name could stand in an answer by chance.
const SHORTEST_NAME: usize = 6;

async fn tables(client: &Client) -> Vec<String> {
    let rows = client.query(TABLES, &[]).await.expect("tables");
    rows.iter().map(|row| row.get(0)).collect()
}

/// A fingerprint of every row that a tenant owns, by table.
async fn rows_of(platform: &Platform, tenant: &str) -> BTreeMap<String, String> {
    let client = platform.database().connect_as_superuser().await.expect("connect");
    let mut found = BTreeMap::new();
    for table in tables(&client).await {
        let sql = format!(
            "select coalesce(md5(string_agg(t::text, chr(10) order by t::text)), '') from {table} t
                           where tenant_id = '{tenant}'"
        );
        let print = client.query_one(&sql, &[]).await.expect("rows").get(0);
        found.insert(table, print);
    }
    found
}

/// As [`rows_of`], once nothing moves any more: consumers have caught up.
pub(super) async fn settled_rows_of(platform: &Platform, tenant: &str) -> BTreeMap<String, String> {
    let mut before = rows_of(platform, tenant).await;
    let mut same = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = rows_of(platform, tenant).await;
        same = if now == before { same + 1 } else { 0 };
        if same == 3 {
            return now;
        }
        before = now;
    }
}

/// What stands in a tenant's rows and in nobody else's: every id, and the names of people and things.
pub(super) struct Secrets {
    ids: BTreeSet<String>,
    names: BTreeSet<String>,
}

impl Secrets {
    pub(super) async fn of(platform: &Platform, tenant: &str) -> Self {
        let client = platform.database().connect_as_superuser().await.expect("connect");
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let (mut other_ids, mut other_names) = (BTreeSet::new(), BTreeSet::new());
        for table in tables(&client).await {
            let sql = format!(
                "select distinct tenant_id is not distinct from '{tenant}'::uuid, m[1]
                   from {table} t, regexp_matches(t::text, '{UUID}', 'g') m
                 union all
                 select distinct tenant_id is not distinct from '{tenant}'::uuid, e.key || ' ' || e.value
                   from {table} t, jsonb_each_text(to_jsonb(t)) e
                   where e.key = any($1) and char_length(e.value) >= {SHORTEST_NAME}"
            );
            let rows = client.query(&sql, &[&NAMES.as_slice()]).await.expect("values");
            for row in rows {
                let (is_ours, value): (bool, String) = (row.get(0), row.get(1));
                let (ids, names) = match is_ours {
                    true => (&mut ids, &mut names),
                    false => (&mut other_ids, &mut other_names),
                };
                match value.split_once(' ') {
                    Some((_, name)) => names.insert(name.to_owned()),
                    None => ids.insert(value),
                };
            }
        }
        Self {
            ids: ids.difference(&other_ids).cloned().collect(),
            names: names.difference(&other_names).cloned().collect(),
        }
    }

    /// Without the names that requests contain: whoever sends these may have them back, now and in lists.
    pub(super) fn without_names_of(mut self, examples: &[Example]) -> Self {
        let sent: Vec<String> = examples.iter().map(Example::text).collect();
        self.names
            .retain(|name| !sent.iter().any(|text| text.contains(name.as_str())));
        self
    }

    /// What an answer tells of the rows that its request has not said itself.
    pub(super) fn in_answer(&self, answer: &Answer, request: &Example) -> Vec<String> {
        let (sent, text) = (request.text(), answer.body.to_string());
        // Ids may touch other characters, and each begins somewhere.
        let ids = (0..text.len())
            .filter_map(|at| text.get(at..at + UUID_LEN))
            .filter(|id| self.ids.contains(*id) && !sent.contains(id))
            .map(str::to_owned);
        let names = self.names.iter().filter(|name| text.contains(name.as_str()));
        ids.chain(names.cloned()).collect()
    }
}
