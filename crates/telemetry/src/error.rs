/// Why telemetry could not be started or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log filter is not valid.
    #[error(
        "reading log filter `{filter}`: {reason}; write a level and overrides, such as `info,stoa_kernel=debug`"
    )]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The sample ratio is not a share.
    #[error("trace sample ratio {0} is not between 0.0 and 1.0; set it to the share of traces to record")]
    SampleRatio(f64),
    /// Something of the kind named is installed in this process already.
    #[error("starting telemetry: this process already has a {0}; start telemetry once, before anything else")]
    AlreadyStarted(&'static str),
    /// The trace exporter could not be made.
    #[error(
        "starting trace export to `{endpoint}`: {reason}; give the collector's base URL, such as `http://collector:4318`"
    )]
    Exporter {
        /// The endpoint as given.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The metrics recorder could not be made.
    #[error("starting the metrics recorder: {0}")]
    Metrics(String),
    /// A background thread could not be started.
    #[error("starting thread `{name}`: {source}; check the limits on threads and memory of this process")]
    Thread {
        /// Name of the thread.
        name: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
}
