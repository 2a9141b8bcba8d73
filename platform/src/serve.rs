//! Runs some or all services in this process.

use crate::admin::{self, Admin};
use crate::measure::measured;
use crate::{migrate, services};
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::config::{Config, Role};
use stoa_kernel::db::Pools;
use stoa_kernel::decisions::{Decisions, Follower};
use stoa_kernel::http::{ServeOptions, serve as serve_http};
use stoa_kernel::lifecycle::{Health, supervise};
use stoa_kernel::mesh::{Mesh, MeshTls, Place, Remote, RemotePeer, Wiring, serve_mesh};
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, Database, Service, ServiceContext};
use stoa_telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A process that serves; dropping it does not stop it, [`Server::stop`] does.
pub struct Server {
    /// The way to every service, for seeding.
    pub mesh: Mesh,
    /// What the probes answer.
    pub health: Health,
    tracker: TaskTracker,
    stop: CancellationToken,
    drain: Duration,
}

struct Started {
    wiring: Wiring,
    tasks: Vec<Task>,
    edge: Option<axum::Router>,
    pools: Vec<(&'static str, Pools)>,
    local: HashMap<&'static str, axum::Router>,
}

impl Server {
    /// Checks the schema, starts the services and opens the listeners.
    ///
    /// # Errors
    /// What could not be started and what to do.
    pub async fn start(config: Config, names: &[String], telemetry: Arc<Telemetry>) -> anyhow::Result<Self> {
        let all = services::all();
        let chosen = choose(&all, names)?;
        let here: Vec<&'static str> = chosen.iter().map(|s| s.name).collect();
        tracing::info!(services = here.join(","), "starting");
        migrate::check(&config, &chosen).await?;

        let mesh = Mesh::new(&all.iter().map(|s| s.name).collect::<Vec<_>>());
        let clock = Clock::system();
        let decisions = Decisions::new(mesh.clone(), clock.clone());
        let stop = CancellationToken::new();
        let tls = mesh_tls(&config, &all, &here)?;
        let context = Shared {
            config: Arc::new(config),
            mesh: mesh.clone(),
            decisions: decisions.clone(),
            clock,
            stop: stop.clone(),
            catalogue: Arc::new(services::catalogue(&all)),
            openapi: Arc::new(serde_json::to_value(services::openapi(&all)).context("rendering OpenAPI")?),
        };
        let config = context.config.clone();
        let mut started = start_services(&context, &chosen).await?;
        add_peers(&mut started.wiring, &config, &all, tls.as_ref())?;
        mesh.seal(started.wiring);

        let health = Health::default();
        let tracker = TaskTracker::new();
        started.tasks.push(follower(decisions.clone()));
        started
            .tasks
            .push(probe(health.clone(), started.pools, decisions.clone()));
        for task in started.tasks {
            supervise(task, &tracker, stop.clone());
        }
        let server = Self {
            mesh: mesh.clone(),
            health: health.clone(),
            tracker,
            stop,
            drain: Duration::from_millis(config.server.drain_timeout_ms),
        };
        let admin = admin::router(Admin {
            health,
            telemetry,
            services: Arc::new(here),
        });
        server
            .listen("server.admin_listen", config.server.admin_listen, admin)
            .await?;
        if let (Some(tls), Some(address)) = (tls, config.mesh.listen) {
            let listener = bind("mesh.listen", address).await?;
            let stop = server.stop.clone();
            let tracker = &server.tracker;
            tracker.spawn(serve_mesh(listener, tls, mesh, decisions, started.local, stop));
        }
        if let Some(edge) = started.edge {
            server.listen("server.listen", config.server.listen, edge).await?;
        }
        Ok(server)
    }

    /// Waits until every part is up.
    pub async fn ready(&self) {
        while !self.health.report().0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops accepting, drains, ends the tasks.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(self.drain + Duration::from_secs(1), self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some work did not end in time; leaving it");
        }
    }

    async fn listen(
        &self,
        key: &str,
        address: std::net::SocketAddr,
        router: axum::Router,
    ) -> anyhow::Result<()> {
        let listener = bind(key, address).await?;
        let options = ServeOptions {
            drain: self.drain,
            ..ServeOptions::default()
        };
        tracing::info!(address = %listener.local_addr()?, listener = key, "listening");
        self.tracker
            .spawn(serve_http(listener, router, options, self.stop.clone()));
        Ok(())
    }
}

async fn bind(key: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; free it or set {key} to another address"))
}

/// What every service's context shares.
struct Shared {
    config: Arc<Config>,
    mesh: Mesh,
    decisions: Decisions,
    clock: Clock,
    stop: CancellationToken,
    catalogue: Arc<stoa_kernel::service::Catalogue>,
    openapi: Arc<serde_json::Value>,
}

impl Shared {
    fn context(&self, service: &Service) -> anyhow::Result<ServiceContext> {
        let open = |role| -> anyhow::Result<Database> {
            let mut options = self.config.connect_options(service.name, role)?;
            options.on_connect = Some(stoa_eventlog::ON_CONNECT);
            Ok(Database::open(&options)?)
        };
        Ok(ServiceContext {
            name: service.name,
            db: Pools {
                app: open(Role::App)?,
                system: open(Role::System)?,
            },
            mesh: self.mesh.clone(),
            decisions: self.decisions.clone(),
            clock: self.clock.clone(),
            config: self.config.clone(),
            stop: self.stop.clone(),
            catalogue: self.catalogue.clone(),
            openapi: self.openapi.clone(),
        })
    }
}

fn choose<'a>(all: &'a [Service], names: &[String]) -> anyhow::Result<Vec<&'a Service>> {
    if let Some(unknown) = names.iter().find(|n| !all.iter().any(|s| s.name == n.as_str())) {
        let known: Vec<_> = all.iter().map(|s| s.name).collect();
        bail!(
            "there is no service {unknown}; the services are {}",
            known.join(", ")
        );
    }
    Ok(all
        .iter()
        .filter(|s| names.is_empty() || names.iter().any(|n| n == s.name))
        .collect())
}

async fn start_services(shared: &Shared, chosen: &[&Service]) -> anyhow::Result<Started> {
    let mut started = Started {
        wiring: Wiring {
            handlers: HashMap::new(),
            places: HashMap::new(),
        },
        tasks: Vec::new(),
        edge: None,
        pools: Vec::new(),
        local: HashMap::new(),
    };
    let mut ticked = std::collections::HashSet::new();
    for service in chosen {
        let context = shared.context(service)?;
        if service.name == "gateway" {
            started.edge = Some(stoa_gateway::edge(&context));
        }
        // One ticker for each database that this process reaches.
        let database = shared.config.database_of(service.name);
        if ticked.insert((database.host.clone(), database.port, database.name.clone())) {
            started.tasks.push(stoa_eventlog::ticker_task(
                context.db.clone(),
                context.clock.clone(),
            ));
        }
        started.pools.push((service.name, context.db.clone()));
        let running = (service.start)(context)
            .await
            .with_context(|| format!("starting the service {}", service.name))?;
        let router = measured(service.name, running.router);
        started.wiring.handlers.extend(running.calls.into_handlers());
        started
            .wiring
            .places
            .insert(service.name, Place::Local(router.clone()));
        started.local.insert(service.name, router);
        started.tasks.extend(running.tasks);
    }
    Ok(started)
}

/// A process that serves only a part reaches the rest over mutual TLS.
fn mesh_tls(config: &Config, all: &[Service], here: &[&str]) -> anyhow::Result<Option<MeshTls>> {
    if here.len() == all.len() && config.mesh.listen.is_none() {
        return Ok(None);
    }
    Ok(Some(MeshTls::load(&config.mesh)?))
}

fn add_peers(
    wiring: &mut Wiring,
    config: &Config,
    all: &[Service],
    tls: Option<&MeshTls>,
) -> anyhow::Result<()> {
    for service in all {
        if wiring.places.contains_key(service.name) {
            continue;
        }
        // Without an address the service is unavailable, which its callers' errors say; it may come later.
        if let (Some(url), Some(tls)) = (config.mesh.peers.get(service.name), tls) {
            let peer: Arc<dyn Remote> = Arc::new(RemotePeer::new(service.name, url, tls)?);
            wiring.places.insert(service.name, Place::Remote(peer));
        }
    }
    Ok(())
}

fn follower(decisions: Decisions) -> Task {
    Task::new("kernel.decisions", move |stop| {
        let follower = Follower::new(decisions.clone());
        async move {
            follower.run(stop).await;
            Ok(())
        }
    })
}

/// A part of [`Health`].
const POLICIES: &str = "access policies";

/// A part of [`Health`].
fn database(db: &Database) -> String {
    format!("database {}", db.role())
}

/// Keeps the readiness and the gauges of the pools current. Quick until the process is ready, then once a second.
fn probe(health: Health, pools: Vec<(&'static str, Pools)>, decisions: Decisions) -> Task {
    health.expect(POLICIES);
    for (_, pools) in &pools {
        for db in [&pools.app, &pools.system] {
            health.expect(&database(db));
        }
    }
    Task::new("platform.probe", move |stop| {
        let (health, pools, decisions) = (health.clone(), pools.clone(), decisions.clone());
        async move {
            loop {
                for (service, pools) in &pools {
                    for db in [&pools.app, &pools.system] {
                        let state = db.ping(Duration::from_secs(2)).await.map_err(|e| e.to_string());
                        health.set(&database(db), state);
                        let (used, idle, max) = db.usage();
                        for (state, value) in [("used", used), ("idle", idle), ("max", max)] {
                            let labels = [
                                ("service", (*service).to_owned()),
                                ("role", db.role().to_owned()),
                                ("state", state.to_owned()),
                            ];
                            metrics::gauge!("stoa_db_pool_connections", &labels).set(value as f64);
                        }
                    }
                }
                let age = decisions.staleness();
                if let Some(age) = age {
                    metrics::gauge!("stoa_decisions_staleness_seconds").set(age.as_secs_f64());
                }
                health.set(
                    POLICIES,
                    match age {
                        Some(age) if age < stoa_kernel::decisions::STALENESS_BOUND => Ok(()),
                        Some(age) => Err(format!("not confirmed for {} s", age.as_secs())),
                        None => Err("not loaded yet".to_owned()),
                    },
                );
                let pause = Duration::from_millis(if health.report().0 { 1000 } else { 10 });
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return Ok(()),
                }
            }
        }
    })
}
