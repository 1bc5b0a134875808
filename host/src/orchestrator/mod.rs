//! Carries out what the state machine decides. [`control`] is what people do with a project; a [`worker`] takes the steps that can be
//! done and does them: [`step`] is one run of an agent and [`concluding`] what comes of it, [`judging`] decides whether what it wrote is good, [`delivering`] whether the
//! whole is. [`quote`] says what all of it will cost, [`replay`] runs a recorded project again, [`rehearsal`] a plugin's
//! cases, [`trying`] compares plugins.
//! Every change of a project is one transaction, so that a process that dies anywhere goes on from the last one, and so does another one.

mod concluding;
pub mod control;
mod delivering;
mod judging;
pub mod quote;
pub mod rehearsal;
pub mod replay;
mod step;
pub mod trying;
pub mod worker;

use crate::checks::Checks;
use crate::index::pool::Pool;
use crate::index::update::update;
use crate::llm::gateway::Gateway;
use crate::plugins::imports::{Progress, Services};
use crate::plugins::indexing::Indexer;
use crate::plugins::registry::Registry;
use crate::project::{Event, Pause, Phase, decide};
use crate::settings::{BudgetAmounts, Settings};
use crate::store::Store;
use crate::store::presence::Boot;
use crate::store::projects::{Change, Project};
use crate::workspace::Files;
use anyhow::Result;
use control::Control;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, mpsc};

/// The orchestrator of one process.
pub struct Orchestrator {
    pub(crate) store: Store,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) checks: Arc<Checks>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) budget: BudgetAmounts,
    pub(crate) progress: Option<mpsc::Sender<Progress>>,
    /// Slots of the engine's pool, so that a run waits for one instead of failing.
    pub(crate) agent_runs: Semaphore,
    pub(crate) indexer_runs: Arc<Semaphore>,
    /// The code indexes; none where agents are to do without.
    pub(crate) indexes: Option<Pool>,
    /// What people do.
    pub control: Control,
    /// That this process lives, where it works.
    pub(crate) boot: Option<Arc<Boot>>,
    /// Versions of plugins that other workers can get.
    pub(crate) offered: std::sync::Mutex<BTreeSet<String>>,
    /// By project.
    pub(crate) turns: std::sync::Mutex<HashMap<String, Weak<Mutex<()>>>>,
}

impl Orchestrator {
    /// Lets projects come to a stop: no further model call begins, those under way end as usual.
    pub fn close(&self) {
        self.gateway.close();
    }

    /// Waits for model calls under way, for a bounded time.
    pub async fn drain(&self, limit: std::time::Duration) {
        self.gateway.drain(limit).await;
    }

    /// Decides and commits.
    async fn apply(&self, project: &Project, event: Event, mut change: Change) -> Result<Project> {
        let (state, actions) = decide(&project.state, event)?;
        change.actions = actions;
        if let Phase::Paused(stuck @ Pause::Stuck { .. }, _) = &state.phase
            && state.phase != project.state.phase
        {
            change.event = Some(("stuck", stuck.to_string()));
        }
        Ok(self.store.commit(project, &state, change).await?)
    }

    /// The files of the last accepted task, or those that the project starts from.
    pub(crate) async fn accepted_files(&self, project: &Project) -> Result<Files> {
        match self.store.snapshots(&project.id).await?.pop() {
            Some(snapshot) => Ok(crate::delivery::as_it_is(&project.state, self.store.files(&snapshot.tree).await?)),
            None => self.starting_files(project).await,
        }
    }

    /// Steps of one project in this process take turns at looking at its files and at changing it, so that they do not do so in vain.
    async fn turn(&self, project: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(project).and_then(Weak::upgrade);
            let turn: Arc<Mutex<()>> = known.unwrap_or_default();
            turns.insert(project.to_owned(), Arc::downgrade(&turn));
            turn
        };
        turn.lock_owned().await
    }

    /// Brings the code index up to the accepted files. It is a cache: where that can't be done, agents see what there was, and that it is old.
    pub(crate) async fn refresh_index(&self, project: &Project, files: &Files) -> Result<()> {
        let Some(indexes) = &self.indexes else { return Ok(()) };
        let accepted = self.store.snapshots(&project.id).await?.len() as u64;
        let indexer = Arc::new(Indexer::new(self.registry.for_world("indexer")?, self.indexer_runs.clone()));
        let refreshed = async {
            let cache = indexes.of(&project.id, indexer.digest()).await?;
            update(&cache, files, &indexer, Some(accepted)).await
        };
        if let Err(why) = refreshed.await {
            tracing::warn!("the code index of project {} is not up to date: {why}", project.id);
        }
        Ok(())
    }

    /// The pinned plugins.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What can execute checks here.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    fn services(&self) -> Services {
        Services {
            store: self.store.clone(),
            gateway: self.gateway.clone(),
            checks: self.checks.clone(),
            parse_gate: !self.settings.without.parse_gate,
            indexes: self.indexes.clone(),
            progress: self.progress.clone(),
            pausing: Arc::default(),
        }
    }
}
