//! The load: keep-alive connections that ask again at once, or when the next request is due.

use super::any_user;
use super::question::{Cursors, Kind, user_for};
use crate::client::Client;
use crate::population::tokens::Users;
use crate::statistics::Durations;
use anyhow::{Context, ensure};
use hyper::StatusCode;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Every how manyth answer is taken apart; the others are only looked at.
const CHECKED: u64 = 20;

/// Connected clients.
pub(super) struct Clients(Vec<Asking>);

struct Asking {
    client: Client,
    users: Arc<Users>,
    cursors: Arc<Cursors>,
    random: SmallRng,
    asked: u64,
}

impl Clients {
    pub(super) async fn connect(
        server: SocketAddr,
        users: &Arc<Users>,
        cursors: &Arc<Cursors>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Asking {
                client: Client::connect(server).await?,
                users: users.clone(),
                cursors: cursors.clone(),
                random: SmallRng::from_os_rng(),
                asked: 0,
            });
        }
        Ok(Self(clients))
    }

    /// Asks for as long as is said, all together at most `rate` times a second. An answer's time counts from when its
    /// request was due, so that a slow answer cannot hide the wait of those behind it.
    pub(super) async fn run(
        self,
        kind: Kind,
        how_long: Duration,
        rate: Option<u32>,
    ) -> anyhow::Result<(Self, Durations)> {
        let start = Instant::now();
        let count = u32::try_from(self.0.len())?;
        let mut running = JoinSet::new();
        for (n, client) in (0..count).zip(self.0) {
            // Each client has every nth of the moments.
            let pace = rate.map(|rate| Pace {
                first: start + Duration::from_secs(1) * n / rate,
                every: Duration::from_secs(1) * count / rate,
            });
            running.spawn(client.ask_until(kind, start + how_long, pace));
        }
        let (mut clients, mut times) = (Vec::new(), Durations::new());
        while let Some(done) = running.join_next().await {
            let (client, own) = done??;
            times.merge(&own)?;
            clients.push(client);
        }
        Ok((Self(clients), times))
    }
}

/// When a client's requests are due.
struct Pace {
    first: Instant,
    every: Duration,
}

impl Asking {
    async fn ask_until(
        mut self,
        kind: Kind,
        until: Instant,
        pace: Option<Pace>,
    ) -> anyhow::Result<(Self, Durations)> {
        let mut times = Durations::new();
        let mut due = pace.as_ref().map_or_else(Instant::now, |pace| pace.first);
        while due < until {
            if pace.is_some() {
                sleep_until(due).await;
            }
            self.ask(kind).await?;
            times.add(due.elapsed());
            due = match &pace {
                Some(pace) => due + pace.every,
                None => Instant::now(),
            };
        }
        Ok((self, times))
    }

    async fn ask(&mut self, kind: Kind) -> anyhow::Result<()> {
        let (tenant, user) = user_for(kind, any_user(&self.users, &mut self.random));
        let token = self.users.token(tenant, user).context("no such user")?;
        let path = kind.path(self.cursors.of(tenant), &mut self.random);
        let answer = self.client.get(&path, token).await?;
        ensure!(
            answer.status == StatusCode::OK,
            "{path} is answered with {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        self.asked += 1;
        if self.asked % CHECKED == 1 {
            kind.holds(&answer.body).with_context(|| path.clone())?;
        }
        Ok(())
    }
}
