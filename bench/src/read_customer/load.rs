//! The load: keep-alive HTTP/1.1 connections, each asking again as soon as it is answered.

use super::tokens::Users;
use crate::statistics::Durations;
use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connected clients.
pub(super) struct Clients {
    clients: Vec<Client>,
}

impl Clients {
    pub(super) async fn connect(
        server: SocketAddr,
        users: &Arc<Users>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(Client::connect(server, users.clone()).await?);
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

struct Client {
    sender: SendRequest<Empty<Bytes>>,
    server: SocketAddr,
    users: Arc<Users>,
    random: SmallRng,
}

impl Client {
    async fn connect(server: SocketAddr, users: Arc<Users>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server)
            .await
            .with_context(|| format!("connecting to {server}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // The sender sees the same error.
            connection.await.ok();
        });
        Ok(Self {
            sender,
            server,
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
        let call = Request::get(format!("/api/customers/{id}"))
            .header(HOST, self.server.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new())?;
        self.sender.ready().await.context("the connection was closed")?;
        let response = self
            .sender
            .send_request(call)
            .await
            .context("asking for a customer")?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .context("reading the answer")?
            .to_bytes();
        let right = status == StatusCode::OK && contains(&body, id.as_bytes());
        ensure!(
            right,
            "customer {id} was asked for; the answer is {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }
}

fn contains(body: &[u8], id: &[u8]) -> bool {
    body.windows(id.len()).any(|window| window == id)
}
