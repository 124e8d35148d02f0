//! Shared state of a fleet in a build without the feature `redis`: settings that name a Redis are refused, so that
//! no [`RedisStore`] exists and none of its functions is ever called.

#[path = "redis/epoch.rs"]
mod epoch;
#[path = "redis/gateway.rs"]
pub mod gateway;
#[path = "redis/settings.rs"]
mod settings;

use crate::engine::plan::Plan;
use crate::engine::shared::{SharedChange, SharedRequest, SharedView};
use crate::pipeline::{SharedStore, SharedStoreError};

use gateway::DirectoryUpdate;

pub use epoch::{Epoch, Rebuild};
pub use settings::{RedisSettings, SettingsError, WindowLimits, WindowSizes};

/// A type without values.
pub enum RedisStore {}

impl RedisStore {
    /// Refuses the settings.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &RedisSettings, _: Option<String>) -> Result<Self, SettingsError> {
        Err(SettingsError::NotBuilt)
    }

    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match *self {}
    }

    #[must_use]
    pub fn errors(&self) -> u64 {
        match *self {}
    }

    pub fn take_turned_away(&self) -> u64 {
        match *self {}
    }

    /// # Errors
    /// Never called.
    pub fn sizes(&self, _: &Plan) -> Result<WindowSizes, SharedStoreError> {
        match *self {}
    }

    /// # Errors
    /// Never called.
    pub fn rebuild(&self, _: &Plan, _: &Rebuild) -> Result<(), SharedStoreError> {
        match *self {}
    }

    pub fn learn(&self, _: &Plan, _: &[SharedChange]) {
        match *self {}
    }

    /// # Errors
    /// Never called.
    pub fn publish(&self, _: &[DirectoryUpdate]) -> Result<(), SharedStoreError> {
        match *self {}
    }

    /// # Errors
    /// Never called.
    pub fn load_list(&self, _: &str) -> Result<Vec<String>, SharedStoreError> {
        match *self {}
    }
}

impl SharedStore for RedisStore {
    fn fetch(&self, _: &Plan, _: &SharedRequest, _: &mut SharedView) {
        match *self {}
    }

    fn decided(&self, _: &Plan, _: &[SharedChange]) {
        match *self {}
    }

    fn apply(&self, _: &Plan, _: &[SharedChange]) -> Result<(), SharedStoreError> {
        match *self {}
    }
}
