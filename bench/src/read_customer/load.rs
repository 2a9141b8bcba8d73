//! The load: keep-alive HTTP/1.1 connections, each asking again as soon as it is answered.

use crate::client::Client;
use crate::population::tokens::Users;
use crate::statistics::Durations;
use anyhow::{Context, ensure};
use hyper::StatusCode;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connected clients.
pub(super) struct Clients {
    clients: Vec<Asking>,
}

impl Clients {
    pub(super) async fn connect(
        server: SocketAddr,
        users: &Arc<Users>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Asking::connect(server, users.clone()).await?);
        }
        Ok(Self { clients })
    }

    /// Asks for as long as is said; tells how long each answer took. The connections stay open.
    pub(super) async fn run(self, how_long: Duration) -> anyhow::Result<(Self, Durations)> {
        let until = Instant::now() + how_long;
        let mut running = JoinSet::new();
        for client in self.clients {
            running.spawn(client.ask_until(until));
        }
        let (mut clients, mut times) = (Vec::new(), Durations::new());
        while let Some(done) = running.join_next().await {
            let (client, own) = done??;
            times.merge(&own)?;
            clients.push(client);
        }
        Ok((Self { clients }, times))
    }
}

struct Asking {
    client: Client,
    users: Arc<Users>,
    random: SmallRng,
}

impl Asking {
    async fn connect(server: SocketAddr, users: Arc<Users>) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::connect(server).await?,
            users,
            random: SmallRng::from_os_rng(),
        })
    }

    async fn ask_until(mut self, until: Instant) -> anyhow::Result<(Self, Durations)> {
        let mut times = Durations::new();
        while Instant::now() < until {
            let start = Instant::now();
            self.ask().await?;
            times.add(start.elapsed());
        }
        Ok((self, times))
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        let request = self.users.shape.request(&mut self.random);
        let token = self
            .users
            .token(request.tenant, request.user)
            .context("no such user")?;
        let id = request.customer.to_string();
        let answer = self.client.get(&format!("/api/customers/{id}"), token).await?;
        let right = answer.status == StatusCode::OK && contains(&answer.body, id.as_bytes());
        ensure!(
            right,
            "customer {id} was asked for; the answer is {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }
}

fn contains(body: &[u8], id: &[u8]) -> bool {
    body.windows(id.len()).any(|window| window == id)
}
