//! Carries out what the state machine decides: runs the steps that are ready, commits what came of each, and stops where a person has
//! to act. [`step`] is one run of an agent, [`judging`] decides whether what it wrote is good, [`quote`] what all of it will cost, [`replay`] runs a recorded
//! project again.
//! Every change of a project is one transaction, so that a process that dies anywhere goes on from the last one.

mod judging;
pub mod quote;
pub mod replay;
mod step;

use crate::checks::Checks;
use crate::index::FileIndex;
use crate::ledger::NanoUsd;
use crate::llm::gateway::Gateway;
use crate::plugins::imports::{Context as RunContext, Job, Owner, Progress, Services};
use crate::plugins::registry::Registry;
use crate::plugins::run;
use crate::project::{Answer, Event, Next, Pause, Phase, State, TaskStatus, decide};
use crate::settings::{BudgetAmounts, Settings};
use crate::store::Store;
use crate::store::projects::{Change, Project, Wish};
use crate::workspace::overlay::Overlay;
use crate::workspace::{Files, sha256};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;

/// An idea longer than this is a specification; it should be a file beside the project.
pub const IDEA_BYTES_MAX: usize = 50_000;

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
    pub(crate) indexer_runs: Semaphore,
}

impl Orchestrator {
    /// Begins a project. A ceiling that is known already binds from the first call on.
    pub async fn create(&self, wallet: &str, idea: &str, ceiling: Option<NanoUsd>) -> Result<Project> {
        let idea = idea.trim();
        if idea.is_empty() {
            bail!("the idea is empty; write one sentence on what you want, such as: atelier run \"a tool that renames photos by date\"");
        }
        if idea.len() > IDEA_BYTES_MAX {
            bail!(
                "the idea has {} bytes, at most {IDEA_BYTES_MAX} are read; describe the core of it and add the rest when asked",
                idea.len()
            );
        }
        self.store.open_wallet(wallet, self.budget.default_grant).await?;
        let id = new_id();
        let limit = ceiling.unwrap_or(self.budget.pre_approval_limit).min(self.budget.pre_approval_limit);
        let state = State { limit: ceiling, ..State::new(idea) };
        self.store.create_project(&id, wallet, &state, limit).await?;
        Ok(self.store.project(&id).await?)
    }

    /// Works until a person has to act: answer, approve, resume, or look at the result. Steps that do not wait for each other run at
    /// the same time, up to a limit; what has begun comes to its end before this returns, even where another step met a fault of the host.
    pub async fn advance(self: &Arc<Self>, mut project: Project) -> Result<Project> {
        let turn = Arc::new(Mutex::new(()));
        let mut steps = JoinSet::new();
        let mut under_way = BTreeSet::new();
        let mut fault: Option<anyhow::Error> = None;
        loop {
            let next = project.state.next();
            if let (Next::Run(ready), None) = (&next, &fault) {
                for ready in ready {
                    if under_way.len() < self.settings.parallel_tasks && under_way.insert(ready.name.clone()) {
                        let (orchestrator, id, ready, turn) = (self.clone(), project.id.clone(), ready.clone(), turn.clone());
                        steps.spawn(async move { orchestrator.step(&id, &ready, &turn).await.map(|()| ready.name) });
                    }
                }
            }
            match (steps.join_next().await, next) {
                (Some(Ok(Ok(name))), _) => drop(under_way.remove(&name)),
                (Some(Ok(Err(error))), _) => drop(fault.get_or_insert(error)),
                (Some(Err(panicked)), _) => drop(fault.get_or_insert(anyhow!("a step ended in a fault of the host: {panicked}"))),
                (None, _) if fault.is_some() => return fault.map_or(Ok(project), Err),
                (None, Next::Deliver) => drop(self.deliver(&project).await?),
                (None, _) => {
                    // Somebody may have wished something while the last step ended.
                    self.obey(&project.id, &turn).await?;
                    return Ok(self.store.project(&project.id).await?);
                }
            }
            match self.store.project(&project.id).await {
                Ok(now) => project = now,
                Err(error) => drop(fault.get_or_insert(error.into())),
            }
        }
    }

    /// The user's answer to the open question.
    pub async fn answer(&self, project: &Project, answer: Answer) -> Result<Project> {
        let (state, _) = decide(&project.state, Event::Answered(answer.clone()))?;
        Ok(self.store.answer(project, &state, &answer).await?)
    }

    /// The user accepts the plan under this ceiling, or raises the ceiling of a project that waits.
    pub async fn approve(&self, project: &Project, ceiling: NanoUsd) -> Result<Project> {
        let event = ("approved", format!("ceiling {ceiling}"));
        self.apply(project, Event::Approved(ceiling), Change { event: Some(event), ..Change::default() }).await
    }

    /// Goes on with a project that waits, with a new ceiling if one is given.
    pub async fn resume(&self, project: Project, ceiling: Option<NanoUsd>) -> Result<Project> {
        self.store.wish(&project.id, Wish::GoOn).await?;
        let project = match (ceiling, &project.state.phase) {
            // A plan that waits is approved where it is shown.
            (Some(ceiling), Phase::Eliciting | Phase::Planning | Phase::Building | Phase::Paused(..)) => {
                self.approve(&project, ceiling).await?
            }
            _ => project,
        };
        if matches!(project.state.phase, Phase::Paused(Pause::Ceiling, _)) && ceiling.is_none() {
            self.store.spend_to_the_ceiling(&project.id).await?;
        }
        match project.state.phase {
            Phase::Paused(..) => self.apply(&project, Event::Resumed, Change::default()).await,
            _ => Ok(project),
        }
    }

    /// Lets projects come to a stop: no further model call begins, those under way end as usual.
    pub fn close(&self) {
        self.gateway.close();
    }

    /// Waits for model calls under way, for a bounded time.
    pub async fn drain(&self, limit: std::time::Duration) {
        self.gateway.drain(limit).await;
    }

    /// Lets a project wait until somebody resumes it.
    pub async fn pause(&self, project: &Project) -> Result<Project> {
        let event = ("paused", Pause::User.to_string());
        self.apply(project, Event::Paused(Pause::User), Change { event: Some(event), ..Change::default() }).await
    }

    /// Gives a task up that makes no progress. What works is delivered in the end.
    pub async fn give_up(&self, project: &Project) -> Result<Project> {
        let Phase::Paused(Pause::Stuck { task, .. }, _) = &project.state.phase else {
            bail!("no task of project {} is stuck; `atelier status {}` shows how it stands", project.id, project.id);
        };
        let event = ("given up", format!("task {task} is given up by the user"));
        self.apply(project, Event::GivenUp, Change { event: Some(event), ..Change::default() }).await
    }

    /// Ends a project that no worker has.
    pub async fn cancel(&self, project: &Project) -> Result<Project> {
        let event = ("cancelled", "cancelled by the user".to_owned());
        self.apply(project, Event::Cancelled, Change { event: Some(event), ..Change::default() }).await
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

    /// Runs every check of every accepted task once more, on the whole: a later task may have broken what an earlier one showed.
    async fn deliver(&self, project: &Project) -> Result<Project> {
        let files = self.accepted_files(project).await?;
        let mut results = Vec::new();
        if let Some(plan) = &project.state.plan {
            let before = judging::starting_files(project);
            for (task, progress) in plan.tasks.iter().zip(&project.state.tasks) {
                if progress.status == TaskStatus::Accepted {
                    results.extend(self.judge(&before, &files, &task.acceptance).await);
                }
            }
        }
        let event = ("delivered", format!("{} checks were run on the whole", results.iter().filter(|result| result.ran.is_some()).count()));
        self.apply(project, Event::Delivered(results), Change { event: Some(event), ..Change::default() }).await
    }

    /// The files of the last accepted task, or those that the project starts from.
    pub(crate) async fn accepted_files(&self, project: &Project) -> Result<Files> {
        match self.store.snapshots(&project.id).await?.pop() {
            Some(snapshot) => Ok(self.store.files(&snapshot.tree).await?),
            None => Ok(judging::starting_files(project)),
        }
    }

    /// Brings the code index up to the accepted files. Only files whose content changed are read again.
    pub(crate) async fn refresh_index(&self, project: &Project, files: &Files) -> Result<()> {
        let tree = crate::workspace::tree_sha256(files);
        let (_, indexed) = self.store.index_state(&project.id).await?;
        if indexed == tree || files.is_empty() {
            return Ok(());
        }
        let indexer = self.registry.for_world("indexer")?;
        let before = self.store.files(&indexed).await?;
        let mut changes: BTreeMap<String, Option<FileIndex>> = BTreeMap::new();
        for path in before.keys().filter(|path| !files.contains_key(*path)) {
            changes.insert(path.to_string(), None);
        }
        for (path, file) in files {
            if before.get(path).is_some_and(|known| sha256(&known.bytes) == sha256(&file.bytes)) {
                continue;
            }
            let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
            let owner = Owner { project: project.id.clone(), run: String::new(), wallet: String::new() };
            let granted = indexer.granted("index-file");
            let services = self.services();
            let context = RunContext::new(owner, indexer.limits, granted, Job::default(), Overlay::default(), services, Vec::new());
            let _slot = self.indexer_runs.acquire().await;
            let index = run::index_file(&indexer, context, path.as_ref(), text).await.unwrap_or_else(|why| {
                tracing::warn!("`{path}` is not in the index: {why}");
                FileIndex::default()
            });
            changes.insert(path.to_string(), Some(index));
        }
        self.store.save_files(files).await?;
        self.store.update_index(&project.id, &tree, &changes).await.context("update the code index")
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
            index: !self.settings.without.index,
            progress: self.progress.clone(),
            pausing: Arc::default(),
        }
    }
}

/// Short enough to type, random enough not to be guessed.
fn new_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("p{}", &random[..10])
}
