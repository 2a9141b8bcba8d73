//! What a failing event does, and does not do.

use crate::harness::Fixture;
use jiff::SignedDuration;
use std::time::Duration;
use stoa_eventlog::{MAX_ATTEMPTS, dead_letters};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

impl Fixture {
    /// Moves the clock until nothing is parked any more.
    async fn wait_out_retries(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.count("select count(*) from log.parked").await > 0 {
            assert!(Instant::now() < deadline, "events stay parked");
            self.shop.clock.advance(SignedDuration::from_mins(1));
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn change_item(&self, item: Uuid, wishes: &[&str]) {
        for wish in wishes {
            self.shop.change(item, wish).await;
        }
    }
}

// covers: EV-04, EV-05
#[tokio::test]
async fn a_failing_event_parks_its_key_in_order_and_others_proceed() {
    let fixture = Fixture::new().await;
    let (bad, good) = (stoa_types::new_id(), stoa_types::new_id());
    fixture.change_item(bad, &["ok", "retry", "ok"]).await;
    fixture.change_item(good, &["ok", "ok", "ok"]).await;
    fixture.start();
    fixture.until_count("select count(*) from shop.effect", 4).await;
    fixture.until_count("select count(*) from log.parked", 2).await;
    fixture.change_item(bad, &["ok"]).await;
    fixture.change_item(good, &["ok"]).await;
    fixture.until_count("select count(*) from log.parked", 3).await;
    fixture.until_count("select count(*) from shop.effect", 5).await;
    assert_eq!(fixture.versions(good).await, [1, 2, 3, 4]);
    assert_eq!(fixture.versions(bad).await, [1]);
    // The cause passes: whoever waits behind follows in order.
    fixture
        .admin
        .execute(
            "update log.parked set event = jsonb_set(event, '{data,wish}', '\"ok\"')",
            &[],
        )
        .await
        .unwrap();
    fixture.wait_out_retries().await;
    assert_eq!(fixture.versions(bad).await, [1, 2, 3, 4]);
    fixture.change_item(bad, &["ok"]).await;
    fixture.until_count("select count(*) from shop.effect", 9).await;
    assert_eq!(fixture.count("select count(*) from log.dead_letter").await, 0);
}

// covers: EV-05
#[tokio::test]
async fn after_its_last_attempt_an_event_is_a_dead_letter_and_its_key_continues() {
    let fixture = Fixture::new().await;
    let item = stoa_types::new_id();
    fixture.change_item(item, &["ok", "retry", "ok", "ok"]).await;
    fixture.start();
    fixture.until_count("select count(*) from log.parked", 3).await;
    fixture.wait_out_retries().await;
    assert_eq!(fixture.versions(item).await, [1, 3, 4]);
    let letters = dead_letters(&fixture.shop.pools.system, Some("shop.effects"), None, 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attempts, MAX_ATTEMPTS);
    assert_eq!(letters[0].cause, "not now");
    assert_eq!(letters[0].event.aggregate_version, 2);
}

// covers: EV-05
#[tokio::test]
async fn rejected_broken_and_panicking_events_harm_nobody_else() {
    let fixture = Fixture::new().await;
    let mut good = Vec::new();
    for wish in ["reject", "panic", "violate", "reject", "violate"] {
        fixture.change_item(stoa_types::new_id(), &[wish]).await;
        let item = stoa_types::new_id();
        fixture.change_item(item, &["ok", "read"]).await;
        good.push(item);
    }
    // Data that the handler's type does not hold.
    fixture.change_item(stoa_types::new_id(), &["ok"]).await;
    fixture
        .admin
        .execute(
            "update log.event set data = '{}' where seq = (select max(seq) from log.event)",
            &[],
        )
        .await
        .unwrap();
    fixture.start();
    fixture
        .until_count("select count(*) from log.dead_letter", 3)
        .await;
    fixture.until_count("select count(*) from log.parked", 3).await;
    for item in good {
        assert_eq!(fixture.versions(item).await, [1, 2]);
    }
    fixture.wait_out_retries().await;
    assert_eq!(fixture.effects().await, 10);
    assert_eq!(fixture.count("select count(*) from log.dead_letter").await, 6);
    let causes = "select count(*) from log.dead_letter
      where cause like '%as wished%' or cause like '%null value%' or cause like '%never%' or cause like '%missing field%'";
    assert_eq!(fixture.count(causes).await, 6);
}
