//! The log filter, changeable while the process runs.

use std::sync::{Arc, PoisonError, RwLock};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_log::AsLog;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;

use crate::Error;

/// A layer that decides per call site. The answer is cached by `tracing`, so an event pays nothing for
/// it; `tracing_subscriber::reload` would take a lock for every event.
#[derive(Debug, Clone)]
pub(crate) struct LevelGate {
    targets: Arc<RwLock<Targets>>,
}

impl LevelGate {
    pub(crate) fn new(filter: &str) -> Result<Self, Error> {
        Ok(Self {
            targets: Arc::new(RwLock::new(parse(filter)?)),
        })
    }

    pub(crate) fn set(&self, filter: &str) -> Result<(), Error> {
        let targets = parse(filter)?;
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = targets;
        tracing::callsite::rebuild_interest_cache();
        self.sync_log_crate();
        Ok(())
    }

    /// Tells the `log` crate, which some libraries use, the most detailed level anyone wants.
    pub(crate) fn sync_log_crate(&self) {
        tracing_log::log::set_max_level(self.most_detailed().as_log());
    }

    fn most_detailed(&self) -> LevelFilter {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let default = targets.default_level().unwrap_or(LevelFilter::OFF);
        targets.iter().map(|(_, level)| level).fold(default, Ord::max)
    }

    fn allows(&self, metadata: &Metadata<'_>) -> bool {
        // Stoa's spans carry the trace and the tenant, also when the log is set to WARN. Libraries' spans would only
        // add to the traces what their authors once debugged.
        if metadata.is_span() {
            return *metadata.level() <= Level::INFO && metadata.target().starts_with("stoa");
        }
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        targets.would_enable(metadata.target(), metadata.level())
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for LevelGate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.allows(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.allows(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most_detailed().max(LevelFilter::INFO))
    }
}

fn parse(filter: &str) -> Result<Targets, Error> {
    let refuse = |reason: String| Error::Filter {
        filter: filter.to_owned(),
        reason,
    };
    for part in filter.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        // A bare word that is no level would be read as a target, and a typing error would silence all.
        if !part.contains('=') && part.parse::<LevelFilter>().is_err() {
            return Err(refuse(format!(
                "`{part}` is not a level (off, error, warn, info, debug, trace)"
            )));
        }
    }
    filter.parse().map_err(|error| refuse(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        assert!(parse("info,stoa_kernel=debug").is_ok());
        assert!(parse("off").is_ok());
        assert!(parse("").is_ok());
        let message = parse("inof").unwrap_err().to_string();
        assert!(message.contains("`inof` is not a level"), "{message}");
        assert!(parse("stoa=loud").is_err());
    }
}
