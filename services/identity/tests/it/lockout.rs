//! Guessing passwords: how long it is stopped, and that nothing slips through.

use crate::browser::Browser;
use crate::harness::{Answer, EMAIL, Fixture, PASSWORD, authorization, start};
use http::{StatusCode, header};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use stoa_testkit::service::until;

async fn attempt(fixture: &Fixture, email: &str, password: &str) -> Answer {
    Browser::default()
        .submit(fixture, &authorization(&[]), email, password)
        .await
}

fn seconds(answer: &Answer) -> i64 {
    answer.headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

// covers: ID-05
#[tokio::test]
async fn a_block_doubles_says_how_long_and_ends_with_success() {
    let fixture = start().await;
    for email in [EMAIL, "nobody@example.com"] {
        for _ in 0..9 {
            assert_eq!(
                attempt(&fixture, email, "wrong").await.status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
        for (block, words) in [
            (30, "30 seconds"),
            (60, "60 seconds"),
            (120, "2 minutes"),
            (240, "4 minutes"),
        ] {
            // The failure that brings the block is answered like those before.
            assert_eq!(
                attempt(&fixture, email, "wrong").await.status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
            let blocked = attempt(&fixture, email, PASSWORD).await;
            assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS);
            assert!(
                (block - 5..=block).contains(&seconds(&blocked)),
                "{} of {block}",
                seconds(&blocked)
            );
            if seconds(&blocked) == block {
                assert!(blocked.text.contains(words), "{}", blocked.text);
            }
            fixture.clock.advance(SignedDuration::from_secs(block));
        }
    }
    assert_eq!(
        attempt(&fixture, EMAIL, PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );
    // Success has cleared the count: nine more are free.
    for _ in 0..9 {
        assert_eq!(
            attempt(&fixture, EMAIL, "wrong").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
    assert_eq!(
        attempt(&fixture, EMAIL, PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );
}

/// A reset that commits between the check of the password and the session: the row of the account is locked in between.
// covers: ID-05
#[tokio::test]
async fn a_sign_in_with_the_old_password_does_not_outlive_a_reset() {
    let fixture = start().await;
    let (reset, watcher) = (fixture.admin().await, fixture.admin().await);
    // The second round has a session to renew.
    let mut browser = Browser::default();
    for round in 0..2 {
        let page = browser
            .get(&fixture, &authorization(&[("prompt", "login")]))
            .await;
        let path = page.location()[url::Position::BeforePath..].to_owned();
        let page = browser.get(&fixture, &path).await;
        let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("request", &request),
            ("email", EMAIL),
            ("password", PASSWORD),
        ];
        let change = "begin; update identity.account set password_hash = reverse(password_hash)";
        reset.batch_execute(change).await.unwrap();
        let release = async {
            until("the account's row is waited for", async || {
                let sql = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
                watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
            })
            .await;
            reset.batch_execute("commit").await.unwrap();
        };
        let (answer, ()) = tokio::join!(browser.post(&fixture, "/login", &fields), release);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "round {round}");
        let sql = "select count(*) from identity.session where auth_time > created_at or $1 = 0";
        let started: i64 = watcher.query_one(sql, &[&round]).await.unwrap().get(0);
        assert_eq!(started, 0, "no session was started or renewed");
        reset
            .batch_execute("update identity.account set password_hash = reverse(password_hash)")
            .await
            .unwrap();
        fixture.clock.advance(SignedDuration::from_secs(1));
        if round == 0 {
            browser.sign_in(&fixture).await;
            fixture.clock.advance(SignedDuration::from_secs(1));
        }
    }
}

/// The lockout is asked before the password is hashed, and again after. Locks put the block exactly between the two: the
/// first look waits for a lock of ours, and behind it waits the transaction that blocks, before the second look.
// covers: ID-05
#[tokio::test]
async fn a_guess_that_was_right_counts_for_nothing_if_others_used_up_the_tries_meanwhile() {
    let fixture = start().await;
    let (first, second, watcher) = (
        fixture.admin().await,
        fixture.admin().await,
        fixture.admin().await,
    );
    // The connection knows its statements from here on: preparing one would wait for the lock, too, and let it go again.
    attempt(&fixture, EMAIL, "wrong").await;
    let mut browser = Browser::default();
    let redirect = browser.get(&fixture, &authorization(&[])).await.location();
    let page = browser
        .get(&fixture, &redirect[url::Position::BeforePath..])
        .await;
    let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("request", &request),
        ("email", EMAIL),
        ("password", PASSWORD),
    ];
    let hash = Sha256::digest(EMAIL).to_vec();

    let lock = "begin; lock table identity.sign_in_throttle in access exclusive mode";
    let waiting = async |count: i64| {
        let sql = "select count(*) from pg_locks where not granted and relation = 'identity.sign_in_throttle'::regclass";
        until("the lock is waited for", async || {
            watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == count
        })
        .await;
    };
    first.batch_execute(lock).await.unwrap();
    let order = async {
        waiting(1).await;
        let block = async {
            second.batch_execute(lock).await.unwrap();
            let sql =
                "insert into identity.sign_in_throttle (email_hash, failures, last_failed_at, blocked_until)
                       values ($1, 10, now(), now() + interval '5 minutes')
                       on conflict (email_hash) do update set blocked_until = excluded.blocked_until";
            second.execute(sql, &[&hash]).await.unwrap();
            second.batch_execute("commit").await.unwrap();
        };
        let release = async {
            waiting(2).await;
            first.batch_execute("commit").await.unwrap();
        };
        tokio::join!(block, release);
    };
    let (answer, ()) = tokio::join!(browser.post(&fixture, "/login", &fields), order);
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let sessions = watcher.query("select from identity.session", &[]).await.unwrap();
    assert!(sessions.is_empty(), "no session was started");
}
