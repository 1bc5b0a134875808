//! What comes of a trial: the records of both sides, and the end of a candidate that does clearly worse.

use super::Orchestrator;
use crate::plugins::lock::Pins;
use crate::plugins::registry::Registry;
use crate::plugins::trial::{self, Record, Trial};
use crate::store::Store;
use anyhow::{Context, Result};

/// Both sides of a trial: the candidate's record, that of the version it is compared with, and those of others that worked since.
pub async fn sides(store: &Store, pins: &Pins, world: &str, trial: &Trial) -> Result<(Record, Record, Vec<Record>)> {
    let of_world = pins.manifest.plugins.iter().filter(|entry| entry.world == world).map(|entry| entry.name.clone());
    let mut records = store.records(&of_world.collect::<Vec<_>>(), trial.since_ms).await?;
    let playing = pins.for_world(world).map(|entry| entry.name.clone()).unwrap_or_default();
    let pinned = pins.lock.plugins.iter().find(|entry| entry.name == playing).map(|entry| entry.sha256.clone()).unwrap_or_default();
    let mut take = |plugin: &str, sha256: &str| {
        let at = records.iter().position(|record| record.plugin == plugin && record.sha256 == sha256);
        at.map_or_else(|| Record { plugin: plugin.to_owned(), sha256: sha256.to_owned(), ..Record::default() }, |at| records.remove(at))
    };
    let (candidate, other) = (take(&trial.plugin, &trial.sha256), take(&playing, &pinned));
    Ok((candidate, other, records))
}

impl Orchestrator {
    /// Looks at the trials after something came to an end, and takes a candidate's share away that does clearly worse.
    pub(super) async fn weigh(&self) {
        for (world, trial) in &self.registry.pins().manifest.trials {
            if trial.returned.is_none()
                && let Err(error) = weigh(&self.store, &self.registry, world, trial).await
            {
                tracing::warn!("the trial of `{}` can't be looked at: {error:#}", trial.plugin);
            }
        }
    }
}

async fn weigh(store: &Store, registry: &Registry, world: &str, trial: &Trial) -> Result<()> {
    let (candidate, other, _) = sides(store, &registry.pins(), world, trial).await?;
    let Some(why) = trial::verdict(&candidate, &other) else { return Ok(()) };
    let (directory, world, trial) = (registry.directory().to_owned(), world.to_owned(), trial.clone());
    let (name, told) = (trial.plugin.clone(), why.clone());
    let changed = tokio::task::spawn_blocking(move || trial::give_back(&directory, &world, &trial, &why)).await;
    if changed.context("take the share away")?? {
        tracing::warn!("the trial of `{name}` is over, what played the role does so for all again: {told}");
    }
    Ok(())
}
