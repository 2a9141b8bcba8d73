//! Under row-level security every list and look-up uses an index that begins with the tenant.

use crate::support::house;
use stoa_testkit::service::House;
use stoa_types::new_id;
use uuid::Uuid;

/// Rows of ten tenants, so that a scan of all of them is worth avoiding.
const FILL: &str = "
    insert into \"user\".person (tenant_id, id, name, name_key, email, handle, locale, timezone, version, created_at,
        created_by, updated_at, updated_by)
      select md5('t' || n % 10)::uuid, md5('p' || n)::uuid, 'User ' || n, 'user ' || n, n || '@x.example', 'user' || n,
        'en', 'UTC', 1, now() - n * interval '1 s', 'x', now(), 'x'
      from generate_series(1, 20000) n;
    insert into \"user\".person_word (tenant_id, person_id, word)
      select tenant_id, id, unnest(array[name_key, handle, email, split_part(name_key, ' ', 2)]) from \"user\".person;
    insert into \"user\".team (tenant_id, id, name, name_key, version, created_at, created_by, updated_at, updated_by)
      select md5('t' || n % 10)::uuid, md5('m' || n)::uuid, 'Team ' || n, 'team ' || n, 1, now(), 'x', now(), 'x'
      from generate_series(1, 5000) n;
    insert into \"user\".team_member (tenant_id, team_id, person_id)
      select md5('t' || n % 10)::uuid, md5('m' || n)::uuid, md5('p' || n + k * 10)::uuid
      from generate_series(1, 5000) n, generate_series(0, 4) k;
    analyze \"user\".person; analyze \"user\".person_word; analyze \"user\".team; analyze \"user\".team_member;";

/// The house as the service's role sees it, and a tenant with two thousand users.
async fn filled() -> House {
    let house = house().await;
    house.admin.batch_execute(FILL).await.unwrap();
    let tenant: Uuid = house
        .admin
        .query_one("select md5('t1')::uuid", &[])
        .await
        .unwrap()
        .get(0);
    let enter = format!("set role stoa_user_app; select set_config('stoa.tenant', '{tenant}', false)");
    house.admin.batch_execute(&enter).await.unwrap();
    house
}

async fn plan(house: &House, sql: &str) -> String {
    let rows = house.admin.query(&format!("explain {sql}"), &[]).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

// covers: DB-08
#[tokio::test]
async fn no_list_or_look_up_scans_a_table() {
    let house = filled().await;
    let id = format!("'{}'", new_id());
    let person = |rest: &str| format!("select id from \"user\".person where archived_at is null and {rest}");
    let team = |rest: &str| {
        format!(
            "select id, (select count(*) from \"user\".team_member m where m.team_id = team.id) from \"user\".team
             where archived_at is null and {rest}"
        )
    };
    let word =
        "id in (select person_id from \"user\".person_word where word >= 'user 12' and word < 'user 13')";
    let by_name = "order by name_key, id limit 51";
    let members = format!("id in (select person_id from \"user\".team_member where team_id = {id})");
    let teams = format!("id in (select team_id from \"user\".team_member where person_id = {id})");
    for sql in [
        person(&format!("id = {id}")),
        person(&format!("true {by_name}")),
        person("true order by name_key desc, id desc limit 51"),
        person("true order by created_at desc, id desc limit 51"),
        person("true order by updated_at, id limit 51"),
        person(&format!("(name_key, id) > ('user 12', {id}) {by_name}")),
        person(&format!("{word} {by_name}")),
        person(&format!("{members} {by_name}")),
        person(&format!("{word} and {members} and id = {id} {by_name}")),
        person("email = any(array['12@x.example', '13@x.example'])"),
        person("handle = any(array['user12', 'user13'])"),
        person("name_key = any(array['user 12', 'user 13'])"),
        person(&format!("id = any(array[{id}::uuid]) order by id for share")),
        format!("select id from \"user\".person where archived_at is not null {by_name}"),
        team(&format!("id = {id}")),
        team(&format!("true {by_name}")),
        team("true order by created_at desc, id desc limit 51"),
        team(&format!(
            "name_key >= 'team 12' and name_key < 'team 13' {by_name}"
        )),
        team(&format!("{teams} {by_name}")),
        team(&format!("{teams} order by id for update")),
        format!("select person_id from \"user\".team_member where team_id = {id}"),
        format!("delete from \"user\".team_member where person_id = {id}"),
        format!("delete from \"user\".person_word where person_id = {id} and word <> all(array['a'])"),
        format!(
            "select team_id, person_id from \"user\".team_member
             where team_id in (select team_id from \"user\".team_member where person_id = {id})"
        ),
    ] {
        let plan = plan(&house, &sql).await;
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
        for condition in plan.lines().filter(|line| line.contains("Index Cond:")) {
            assert!(condition.contains("tenant_id = "), "{sql}\n{plan}");
        }
    }
}

// covers: DB-08
#[tokio::test]
async fn a_search_reads_only_words_that_begin_so() {
    let house = filled().await;
    let sql = "select person_id from \"user\".person_word where word >= 'user 12' and word < 'user 13'";
    let plan = plan(&house, sql).await;
    let is_range =
        |line: &str| line.contains("Index Cond") && line.contains("word >= ") && line.contains("word < ");
    assert!(plan.lines().any(is_range), "{plan}");
}
