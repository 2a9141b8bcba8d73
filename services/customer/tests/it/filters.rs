//! The decision in memory and the rows that PostgreSQL returns are the same.

use crate::generate::{CREATE_ROWS, PERMISSIONS, ROW_ATTRIBUTES, Row, World};
use stoa_policy::*;
use stoa_testkit::postgres;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

const WORLDS: u64 = 400;

// covers: AZ-04
#[tokio::test]
async fn a_row_filter_matches_the_rows_that_its_sql_returns() {
    let server = postgres::shared().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let client = database.connect_as_superuser().await.unwrap();
    client.batch_execute(CREATE_ROWS).await.unwrap();
    let (mut some, mut none) = (0, 0);
    for seed in 0..WORLDS {
        let world = World::new(seed.wrapping_mul(0x9e37_79b9));
        client.batch_execute("truncate rows").await.unwrap();
        for (id, row) in world.rows.iter().enumerate() {
            insert(&client, id as i32, row).await;
        }
        let (policy, subject) = world.compile();
        for permission in PERMISSIONS {
            for narrow in DataScope::EVERY.map(Some).into_iter().chain([None]) {
                let filter = row_filter(&policy, &subject, permission, narrow, &world.context());
                let expected: Vec<i32> = (0..world.rows.len())
                    .filter(|id| filter.matches(&world.rows[*id]))
                    .map(|id| id as i32)
                    .collect();
                let returned = select(&client, &filter).await;
                assert_eq!(
                    returned, expected,
                    "seed {seed} {permission} {narrow:?} {filter:?}"
                );
                *(if expected.is_empty() { &mut none } else { &mut some }) += 1;
            }
        }
    }
    assert!(
        some > 500 && none > 500,
        "the generator makes both: {some} and {none}"
    );
}

async fn select(client: &Client, filter: &RowFilter) -> Vec<i32> {
    let sql = filter.to_sql(&World::schema(), 1);
    let params: Vec<Box<dyn ToSql + Sync>> = sql
        .params
        .into_iter()
        .map(|param| -> Box<dyn ToSql + Sync> {
            match param {
                SqlParam::Uuid(v) => Box::new(v),
                SqlParam::UuidArray(v) => Box::new(v),
                SqlParam::Text(v) => Box::new(v),
                SqlParam::TextArray(v) => Box::new(v),
                SqlParam::Int(v) => Box::new(v),
                SqlParam::IntArray(v) => Box::new(v),
                SqlParam::Bool(v) => Box::new(v),
            }
        })
        .collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| &**p as _).collect();
    let statement = format!("select id from rows where {} order by id", sql.sql);
    let rows = client
        .query(&statement, &params)
        .await
        .unwrap_or_else(|e| panic!("{statement}: {e}"));
    rows.iter().map(|row| row.get(0)).collect()
}

async fn insert(client: &Client, id: i32, row: &Row) {
    let mut params: Vec<Box<dyn ToSql + Sync>> = vec![Box::new(id)];
    for name in ROW_ATTRIBUTES {
        let kind = World::schema().resource[name].kind;
        params.push(match (&row[name], kind) {
            (Value::Uuid(v), _) => Box::new(*v),
            (Value::Text(v), _) => Box::new(v.clone()),
            (Value::Bool(v), _) => Box::new(*v),
            // The column is an int4.
            (Value::Int(v), _) if name == "amount" => Box::new(*v as i32),
            (Value::Int(v), _) => Box::new(*v),
            (Value::Null, AttributeType::Uuid) => Box::new(None::<uuid::Uuid>),
            (Value::Null, AttributeType::Text) => Box::new(None::<String>),
            (Value::Null, AttributeType::Bool) => Box::new(None::<bool>),
            (Value::Null, AttributeType::Int) if name == "amount" => Box::new(None::<i32>),
            (Value::Null, AttributeType::Int) => Box::new(None::<i64>),
        });
    }
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| &**p as _).collect();
    let sql = "insert into rows values ($1, $2, $3, $4, $5, $6, $7, $8)";
    client.execute(sql, &params).await.unwrap();
}
