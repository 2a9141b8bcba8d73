//! The command line.

use crate::serve::Server;
use crate::{doctor, events, import, migrate, services, up};
use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use stoa_kernel::config::Config;
use stoa_kernel::mesh::certificates;
use stoa_kernel::migrate::Step;
use stoa_telemetry::{Format, Options, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Gateway, identity, authorisation and domain services in one binary.
#[derive(Parser)]
#[command(name = "stoa", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything here: a private PostgreSQL, migrations, demo data, all services.
    Up(up::UpArgs),
    /// Serve all services, or those that are named, against a configured database.
    Serve {
        /// The services to serve; all of them when none is named.
        services: Vec<String>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Bring the databases to this binary's schema.
    Migrate(ConfigArgs),
    /// Work with the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look at events that a consumer has given up, and hand them to it again or give them up for good.
    Events(events::EventsArgs),
    /// Say what is wrong with this machine or configuration, and the remedy.
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell: `stoa completions bash > ~/.local/share/bash-completion/completions/stoa`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Import files into a running platform, over its API.
    Import(import::ImportArgs),
    /// Print the names of the services, one a line.
    Services,
    /// Print the merged OpenAPI document.
    Openapi,
    /// Write a certificate authority and mesh certificates for development: one for each group of services.
    DevCerts {
        /// The folder to write to; an authority that is there already is used again.
        dir: PathBuf,
        /// Groups such as `gateway` or `identity,access`: the services of one process.
        #[arg(required = true)]
        groups: Vec<String>,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read the configuration as `serve` would, and say what is wrong with it.
    Check(ConfigArgs),
}

#[derive(Args)]
pub(crate) struct ConfigArgs {
    /// The TOML file; variables such as STOA_SERVER__LISTEN override it.
    #[arg(long, value_name = "FILE", env = "STOA_CONFIG")]
    config: Option<PathBuf>,
    /// Where the API listens (server.listen).
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where health and metrics listen (server.admin_listen).
    #[arg(long, value_name = "ADDR")]
    admin_listen: Option<SocketAddr>,
}

impl ConfigArgs {
    /// Whether a file was named.
    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some()
    }

    /// Where the API, and health and metrics, would listen without a file.
    pub(crate) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let default = stoa_kernel::config::Server::default();
        (
            self.listen.unwrap_or(default.listen),
            self.admin_listen.unwrap_or(default.admin_listen),
        )
    }

    pub(crate) fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        if let Some(listen) = self.admin_listen {
            config.server.admin_listen = listen;
        }
        Ok(config)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("starting the runtime")),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    say(&format!("stoa: {error:#}"));
    ExitCode::FAILURE
}

/// Writes a line for the person at the terminal; standard output belongs to logs and data.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to stop.
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Writes data to standard output. Who stops reading, such as `head`, has what they wanted.
fn print(data: &[u8]) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(data).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to standard output"),
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up(args) => up::run(args).await,
        Command::Serve { services, config } => serve(config.load()?, &services).await,
        Command::Migrate(config) => {
            let config = config.load()?;
            migrate::run(&config, &mut |step| match step {
                Step::Applied { schema, name } => say(&format!("{schema}: ran {name}")),
                Step::UpToDate { schema } => say(&format!("{schema}: up to date")),
            })
            .await
        }
        Command::Config {
            command: ConfigCommand::Check(args),
        } => check(&args),
        Command::Events(args) => events::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stoa", &mut script);
            print(&script)
        }
        Command::Services => {
            let names: Vec<_> = services::all().iter().map(|s| s.name).collect();
            print(format!("{}\n", names.join("\n")).as_bytes())
        }
        Command::Openapi => {
            let document = serde_json::to_string_pretty(&services::openapi(&services::all()))?;
            print(format!("{document}\n").as_bytes())
        }
        Command::DevCerts { dir, groups } => {
            let groups: Vec<Vec<&str>> = groups.iter().map(|g| g.split(',').collect()).collect();
            certificates::write_development_set(&dir, &groups)?;
            say(&format!(
                "wrote ca.pem and {} certificates to {}",
                groups.len(),
                dir.display()
            ));
            Ok(())
        }
    }
}

fn check(args: &ConfigArgs) -> anyhow::Result<()> {
    let config = args.load()?;
    for service in services::all() {
        for role in [stoa_kernel::config::Role::App, stoa_kernel::config::Role::System] {
            config.connect_options(service.name, role)?;
        }
    }
    say("the configuration is valid");
    Ok(())
}

async fn serve(config: Config, names: &[String]) -> anyhow::Result<()> {
    let whole = names.is_empty() || services::all().iter().all(|s| names.iter().any(|n| n == s.name));
    let label = if whole { "stoa".to_owned() } else { names.join("+") };
    let telemetry = telemetry(&config, &label)?;
    let server = Server::start(config, names, telemetry.clone()).await?;
    let mut signals = Signals::listen()?;
    tokio::select! {
        () = server.ready() => {}
        // Not ready yet: there is nothing to drain.
        () = signals.next() => return Ok(()),
    }
    tracing::info!("ready");
    signals.next().await;
    tracing::info!("stopping");
    tokio::spawn(async move {
        signals.next().await;
        say("stoa: stopping at once");
        std::process::exit(130);
    });
    server.stop().await;
    flush(telemetry).await;
    Ok(())
}

/// Starts logs, metrics and traces of this process.
pub(crate) fn telemetry(config: &Config, service: &str) -> anyhow::Result<Arc<Telemetry>> {
    let settings = &config.telemetry;
    let format = match settings.format.as_str() {
        "json" => Format::Json,
        "text" => Format::Text,
        "auto" => Format::Auto,
        other => anyhow::bail!("configuration: telemetry.format: {other} is not auto, json or text"),
    };
    let instance = settings
        .instance
        .clone()
        .unwrap_or_else(|| format!("{}-{}", host(), std::process::id()));
    let telemetry = Telemetry::start(Options {
        service: service.to_owned(),
        instance,
        format,
        filter: settings.log.clone(),
        otlp_endpoint: settings.otlp_endpoint.clone(),
        sample_ratio: settings.sample_ratio,
    })?;
    Ok(Arc::new(telemetry))
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "stoa".to_owned(), |h| h.trim().to_owned())
}

pub(crate) async fn flush(telemetry: Arc<Telemetry>) {
    // Flushing waits for the collector, so it must not hold a runtime thread.
    tokio::task::spawn_blocking(move || telemetry.shutdown())
        .await
        .ok();
}

/// SIGTERM and Ctrl-C. From here on they end the process only if it asks for them.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
