//! The database goes away under load, and comes back.

use crate::api::{Answer, Api};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;
use stoa_e2e::database_on;
use stoa_testkit::platform::{Platform, Topology};
use stoa_testkit::postgres::dedicated;

/// What the database is doing.
const UP: u8 = 0;
const STOPPING: u8 = 1;
const DOWN: u8 = 2;
const STARTING: u8 = 3;
const UP_AGAIN: u8 = 4;

/// How long the database is away: long enough for pools, followers and breakers to have given up.
const OUTAGE: Duration = Duration::from_secs(8);

#[derive(Default)]
struct Phase {
    now: AtomicU8,
    /// Answers so far in this phase.
    answers: AtomicUsize,
}

impl Phase {
    fn enter(&self, phase: u8) {
        self.answers.store(0, Ordering::SeqCst);
        self.now.store(phase, Ordering::SeqCst);
    }

    fn now(&self) -> u8 {
        self.now.load(Ordering::SeqCst)
    }

    /// Waits until so many more answers were judged in this phase.
    async fn answers(&self, count: usize) {
        eventually(|| async { (self.answers.load(Ordering::SeqCst) >= count).then_some(()) }).await;
    }
}

/// A customer that was asked for, and whether the platform said that it made it.
struct Wanted {
    key: String,
    body: Value,
    made: bool,
}

// covers: RS-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_it_says_so_and_recovers_alone() {
    let server = dedicated().await.unwrap();
    let mut platforms = Vec::new();
    for topology in [Topology::OneProcess, Topology::Split] {
        let database = database_on(&server).await.unwrap();
        platforms.push(Platform::start(topology, database).await.unwrap());
    }
    let phase = Arc::new(Phase::default());
    let stop = Arc::new(AtomicU8::new(0));
    let mut loads = Vec::new();
    for platform in &platforms {
        let api = Api::sign_in(platform, "admin@acme.test").await;
        assert_eq!(api.get("/api/customers/stats").await.body["total"], 85);
        loads.push(tokio::spawn(load(api, phase.clone(), stop.clone())));
    }
    phase.answers(40).await;

    phase.enter(STOPPING);
    server.stop().await.unwrap();
    phase.enter(DOWN);
    let back = tokio::time::Instant::now() + OUTAGE;
    for platform in &platforms {
        for process in &platform.processes {
            eventually(|| async { (probe(process.admin, "ready").await == 503).then_some(()) }).await;
            assert_eq!(
                probe(process.admin, "live").await,
                200,
                "an outage elsewhere is no reason to be killed"
            );
        }
        assert_from_memory(platform).await;
    }
    phase.answers(40).await;
    tokio::time::sleep_until(back).await;

    phase.enter(STARTING);
    server.start().await.unwrap();
    for platform in &platforms {
        for process in &platform.processes {
            process.ready(Duration::from_secs(60)).await.unwrap();
        }
        let api = Api::sign_in(platform, "admin@acme.test").await;
        eventually(|| async { (api.get("/api/customers/stats").await.status == 200).then_some(()) }).await;
        eventually(|| async { (api.get("/api/organizations").await.status == 200).then_some(()) }).await;
    }
    phase.enter(UP_AGAIN);
    phase.answers(40).await;
    stop.store(1, Ordering::SeqCst);

    for (platform, load) in platforms.iter().zip(loads) {
        let wanted = load.await.unwrap();
        let api = Api::sign_in(platform, "admin@acme.test").await;
        assert!(
            wanted.iter().any(|w| w.made) && wanted.iter().any(|w| !w.made),
            "the load met the outage"
        );
        for one in &wanted {
            let answer = api.post_once("/api/customers", &one.key, &one.body).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let stats = api.get("/api/customers/stats").await;
        assert_eq!(
            stats.body["total"],
            85 + wanted.len(),
            "each once, whatever was said when: {stats:?}"
        );
    }
}

/// Reads and writes until told to stop, and judges every answer by what the database is doing.
async fn load(api: Api, phase: Arc<Phase>, stop: Arc<AtomicU8>) -> Vec<Wanted> {
    let sample = api.get("/api/customers?limit=1").await.items()[0].clone();
    let one = sample["id"].as_str().unwrap();
    let mut wanted = Vec::new();
    for turn in 0.. {
        if stop.load(Ordering::SeqCst) == 1 {
            break;
        }
        let before = phase.now();
        let answer = match turn % 4 {
            0 => api.get("/api/customers?limit=5").await,
            1 => api.get(&format!("/api/customers/{one}")).await,
            2 => api.get("/api/organizations").await,
            _ => {
                let body = json!({ "name": format!("Load {turn}"), "email": format!("load-{turn}@load.test"),
                                   "branchId": sample["branchId"], "ownerId": sample["ownerId"] });
                let key = format!("load-{turn}");
                let answer = api.post_once("/api/customers", &key, &body).await;
                wanted.push(Wanted {
                    key,
                    body,
                    made: answer.status == 201,
                });
                answer
            }
        };
        judge(&answer, before, phase.now());
        phase.answers.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    wanted
}

/// `before` and `after`: the phases in which the request was sent and answered.
fn judge(answer: &Answer, before: u8, after: u8) {
    match answer.status {
        200 | 201 => assert!((before, after) != (DOWN, DOWN), "without a database: {answer:?}"),
        503 => {
            answer.assert_problem(503, "service.unavailable");
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
            assert!(
                before != UP_AGAIN && after != UP,
                "although the database is up: {answer:?}"
            );
        }
        _ => panic!("in phase {before} to {after}: {answer:?}"),
    }
}

/// What needs no database goes on; what needs it says so.
async fn assert_from_memory(platform: &Platform) {
    let status = |path: &'static str| async move {
        platform
            .http
            .get(platform.at(path))
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(status("/.well-known/openid-configuration").await, 200);
    assert_eq!(status("/docs").await, 200);
    let sign_in = "/oauth2/authorize?response_type=code&client_id=stoa-cli&redirect_uri=http://127.0.0.1:9/callback\
                   &scope=openid&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                   &code_challenge_method=S256";
    assert_eq!(status(sign_in).await, 503);
}

async fn probe(admin: std::net::SocketAddr, which: &str) -> u16 {
    let response = reqwest::Client::new().request(Method::GET, format!("http://{admin}/health/{which}"));
    response.send().await.map_or(0, |r| r.status().as_u16())
}
