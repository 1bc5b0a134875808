//! The indexer plugin, as the index wants it.

use super::imports::Context;
use super::registry::Loaded;
use super::run;
use crate::index::FileIndex;
use crate::index::update::Chunker;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The pinned indexer, for so many files at one time.
pub struct Indexer {
    plugin: Arc<Loaded>,
    slots: Arc<Semaphore>,
}

impl Indexer {
    /// This plugin; it takes turns with whoever has the same slots.
    pub fn new(plugin: Arc<Loaded>, slots: Arc<Semaphore>) -> Indexer {
        Indexer { plugin, slots }
    }

    /// The digest of its bytes: what another one cuts has to be cut anew.
    pub fn digest(&self) -> &str {
        &self.plugin.sha256
    }
}

impl Chunker for Indexer {
    /// A fresh instance for each file, with all limits: a hostile file can only cost its own place.
    async fn index_file(&self, path: &str, text: &str) -> Result<FileIndex, String> {
        let _slot = self.slots.acquire().await;
        let context = Context::of_nobody(&self.plugin.name, "index-file", self.plugin.limits);
        let index = run::index_file(&self.plugin, context, path, text).await;
        index.inspect_err(|why| tracing::warn!("`{path}` is in the index by its lines only: {why}"))
    }
}
