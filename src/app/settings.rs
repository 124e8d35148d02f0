//! Configuration becomes the settings of what every kind of service runs.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, HttpConfig};
use crate::engine::plan::Settings;
use crate::http::body::Bodies;
use crate::http::connections::{ConnectionLimits, Deadlines};
use crate::http::decisions::WAIT_MAX;
use crate::http::serve::ServerLimits;
use crate::pipeline::Limits;
use crate::service::{Retention, ServiceSettings};

/// Returns the settings of the engine.
pub(super) fn engine_settings(config: &Config) -> Settings {
    let engine = &config.engine;
    Settings {
        lateness: engine.lateness.into(),
        duplicate_horizon: engine.duplicate_horizon.into(),
        waiting_max: usize::try_from(engine.waiting_max).unwrap_or(usize::MAX),
        ..Settings::default()
    }
}

/// Returns the settings of the embedded service.
#[must_use]
pub fn service_settings(config: &Config) -> ServiceSettings {
    let (engine, store) = (&config.engine, &config.store);
    ServiceSettings {
        engine: engine_settings(config),
        limits: Limits { future_skew_max: engine.max_future_skew.into(), home: None },
        batch_max: usize::try_from(store.batch_max).unwrap_or(usize::MAX),
        retention: Retention {
            operations: store.retention_operations.into(),
            decisions: store.retention_decisions.into(),
            rejected: store.retention_rejected.into(),
        },
        shared_keys_max: usize::try_from(config.limits.shared_keys_max).unwrap_or(usize::MAX),
        ..ServiceSettings::default()
    }
}

/// Makes the memory for the bodies of requests.
pub(super) fn bodies(http: &HttpConfig) -> Arc<Bodies> {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Bodies::new(bytes(http.max_body), bytes(http.bodies_max))
}

/// How long a client may take nothing of an answer that is written to it.
const STALLED: Duration = Duration::from_secs(30);

/// Returns the limits of the HTTP server.
pub(super) fn server_limits(http: &HttpConfig) -> ServerLimits {
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    ServerLimits {
        connections: ConnectionLimits {
            max: count(http.connections_max),
            per_address: count(http.connections_per_address),
            deadlines: Deadlines {
                head: http.head_timeout,
                keep_alive: http.keep_alive,
                stalled: STALLED,
                // Nothing takes longer to begin with an answer; then it must go on.
                response: http.request_timeout.max(WAIT_MAX) + STALLED,
            },
        },
        shutdown_grace: http.shutdown_grace,
    }
}
