//! Partitions go when they are past every retention and every cursor; ticks are thinned out.

use crate::harness::Fixture;
use uuid::Uuid;

impl Fixture {
    /// Runs the maintenance as of `days` from now.
    async fn maintain(&self, days: i32, lag_limit_days: i32) {
        let sql = format!(
            "select log.maintain_at(now() + interval '{days} days', interval '{lag_limit_days} days')"
        );
        // The ticker maintains, too, when it starts: then it is busy.
        while !self.admin.query_one(&sql, &[]).await.unwrap().get::<_, bool>(0) {}
    }

    async fn events(&self) -> i64 {
        self.count("select count(*) from log.event").await
    }

    async fn changed(&self, times: i64) -> Uuid {
        let item = stoa_types::new_id();
        for _ in 0..times {
            self.shop.change(item, "ok").await;
        }
        item
    }
}

// covers: EV-02
#[tokio::test]
async fn a_partition_goes_when_it_is_past_its_retention_and_every_cursor() {
    let fixture = Fixture::new().await;
    fixture.start();
    fixture.changed(3).await;
    fixture.until_count("select count(*) from shop.effect", 3).await;
    fixture.maintain(6, 30).await;
    assert_eq!(fixture.events().await, 3, "within retention");
    // One event of a topic that is kept for longer.
    fixture
        .admin
        .execute(
            "update log.event set topic = 'audit.events' where aggregate_version = 2",
            &[],
        )
        .await
        .unwrap();
    fixture.maintain(9, 30).await;
    assert_eq!(fixture.events().await, 1, "only what is kept for 90 days");
    fixture.maintain(92, 365).await;
    assert_eq!(fixture.events().await, 0);
    let today = "select count(*) from pg_class where relname like '%' || to_char(now() at time zone 'UTC', 'YYYYMMDD') and relkind = 'r'";
    assert_eq!(
        fixture.count(today).await,
        0,
        "the partitions of log and inbox are gone"
    );
    // The ticker makes them again before anybody fails to write.
    fixture.maintain(0, 365).await;
    fixture.changed(1).await;
    fixture.until_count("select count(*) from shop.effect", 4).await;
}

// covers: EV-02
#[tokio::test]
async fn a_stuck_consumer_keeps_its_events_until_the_lag_limit_detaches_it() {
    let fixture = Fixture::new().await;
    fixture.run(fixture.shop.ticker());
    fixture.run(fixture.shop.consumer().task());
    fixture.until_count("select count(*) from log.cursor", 1).await;
    fixture.stop.cancel();
    fixture.stopped().await;
    fixture.changed(3).await;
    fixture.admin.batch_execute("select log.tick()").await.unwrap();
    fixture.maintain(9, 30).await;
    assert_eq!(fixture.events().await, 3, "the consumer still needs them");
    fixture.maintain(9, 7).await;
    assert_eq!(fixture.events().await, 0);
    assert_eq!(
        fixture
            .count("select count(*) from log.cursor where detached_at is not null")
            .await,
        1
    );
}

#[tokio::test]
async fn old_ticks_are_thinned_out_and_a_new_consumer_still_gets_everything() {
    let fixture = Fixture::new().await;
    fixture.start();
    let item = stoa_types::new_id();
    for n in 1..=10 {
        fixture.shop.change(item, "ok").await;
        fixture.until_count("select count(*) from shop.effect", n).await;
    }
    let ticks = "select count(*) from log.tick";
    assert!(fixture.count(ticks).await > 8);
    fixture.maintain(1, 30).await;
    assert!(fixture.count(ticks).await <= 4);
    fixture.changed(1).await;
    fixture.until_count("select count(*) from shop.effect", 11).await;
    fixture
        .admin
        .batch_execute("truncate shop.effect; delete from log.cursor")
        .await
        .unwrap();
    fixture.until_count("select count(*) from shop.effect", 0).await;
}
