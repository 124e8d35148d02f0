//! Configuration becomes the settings of what every kind of service runs.

use std::time::Duration;

use crate::config::Config;
use crate::engine::plan::Settings;
use crate::pipeline::Limits;
use crate::service::{Retention, ServiceSettings};

/// Returns the settings of the engine.
pub(super) fn engine_settings(config: &Config) -> Settings {
    let engine = &config.engine;
    Settings {
        lateness: nanos(engine.lateness),
        duplicate_horizon: nanos(engine.duplicate_horizon),
        waiting_max: usize::try_from(engine.waiting_max).unwrap_or(usize::MAX),
        ..Settings::default()
    }
}

/// Returns a duration as the engine counts time.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Returns the settings of the embedded service.
pub(super) fn service_settings(config: &Config) -> ServiceSettings {
    let (engine, store) = (&config.engine, &config.store);
    ServiceSettings {
        engine: engine_settings(config),
        limits: Limits { future_skew_max: nanos(engine.max_future_skew), home: None },
        batch_max: usize::try_from(store.batch_max).unwrap_or(usize::MAX),
        retention: Retention {
            operations: nanos(store.retention_operations),
            decisions: nanos(store.retention_decisions),
            rejected: nanos(store.retention_rejected),
        },
        ..ServiceSettings::default()
    }
}
