//! One step: a run of one plugin export, from the job it is given to the event that its outcome is.

use super::Orchestrator;
use super::control::cancelled;
use super::judging::conflicted;
use super::worker::Told;
use crate::plugins::imports::{Context as RunContext, Job, Owner, Services};
use crate::plugins::registry::Loaded;
use crate::plugins::run::{self, Ended, Export, Outcome};
use crate::project::{CheckResult, DELIVER, Event, Next, Pause, Phase, Ready, Step, Task, Verdict};
use crate::store::StoreError;
use crate::store::projects::{Change, Project};
use crate::store::runs::{JournalRow, NewRun, Run};
use crate::store::steps::Lease;
use crate::workspace::merge::merge;
use crate::workspace::overlay::Overlay;
use crate::workspace::path::{FilePattern, ProjectPath};
use crate::workspace::{Files, sha256, tree_sha256};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;

/// What a run is given beside its files. It is stored with the run, so that a replay gets the same, whatever was accepted meanwhile.
#[derive(Serialize, Deserialize)]
pub(super) struct Inputs {
    pub job: Job,
    /// The accepted files that the run's own began from.
    pub accepted: String,
    /// The class of model that the user chose.
    #[serde(default)]
    pub class: Option<String>,
}

/// A run with all that it needs.
struct Begun {
    run: Run,
    recorded: Vec<JournalRow>,
    inputs: Inputs,
    files: Files,
}

impl Orchestrator {
    /// Takes the step of this lease and commits what comes of it.
    pub(super) async fn step(&self, lease: &Lease, told: Told) -> Result<()> {
        let project = self.store.project(&lease.project).await?;
        if project.cancel_requested || project.pause_requested {
            return self.obey(lease).await;
        }
        if lease.step == DELIVER {
            return self.deliver(lease).await;
        }
        let Next::Run(ready) = project.state.next() else { return Ok(self.store.hand_back(lease, false).await?) };
        let Some(ready) = ready.into_iter().find(|ready| ready.name == lease.step) else {
            return Ok(self.store.hand_back(lease, false).await?);
        };
        let step = &ready.step;
        let mut plugin = self.registry.for_project(step.world(), &project.id, &project.wallet)?;
        let mut name = plugin.name.clone();
        if let Some((begun_by, version)) = self.store.version_of_open_run(lease).await? {
            // Another plugin may play the role by now; one that is not known here goes on under the grants of the one that does.
            if self.registry.pins().manifest.plugins.iter().any(|entry| entry.name == begun_by && entry.world == step.world()) {
                name = begun_by;
            }
            self.fetch(&name, &version).await?;
        }
        let keeps = |digest: &str| self.registry.of_digest(&name, digest).is_ok();
        let begun = match self.store.resume_run(lease, keeps).await {
            Ok(Some((run, recorded))) => {
                plugin = self.registry.of_digest(&name, &run.plugin_sha256)?;
                Some(self.again(&project, step, &plugin, run, recorded).await?)
            }
            Ok(None) => self.begin(lease, &ready, &plugin).await?,
            Err(StoreError::LeaseLost(_)) => None,
            Err(error) => return Err(error).context("resume the run"),
        };
        let Some(Begun { run, recorded, inputs, files }) = begun else { return Ok(()) };
        if run.incarnations > 1 {
            tracing::info!(run = %run.id, "replaying {} host calls", recorded.len());
        }
        let owner = Owner {
            project: project.id.clone(),
            run: run.id.clone(),
            wallet: project.wallet.clone(),
            lease: Some(lease.clone()),
            class: inputs.class.clone(),
        };
        let overlay = overlay(&inputs.job, step, files);
        let (granted, job) = (plugin.granted(step.export()), inputs.job.clone());
        let services = Services { pausing: told.pausing, ..self.services() };
        let mut context = RunContext::new(owner, plugin.limits, granted, job, overlay, services, recorded);
        if inputs.job.task.is_some() {
            context = context.without_questions();
        }
        let slot = self.agent_runs.acquire().await;
        let ended = run::call(&plugin, export(step), context, told.stop).await;
        drop(slot);
        self.conclude(lease, &run.id, &ready, ended, inputs).await?;
        self.weigh().await;
        Ok(())
    }

    /// Ends or pauses a project as somebody wants, unless another of its steps did.
    async fn obey(&self, lease: &Lease) -> Result<()> {
        let _turn = self.turn(&lease.project).await;
        let project = self.store.project(&lease.project).await?;
        let (event, kind, text) = match project.state.phase {
            _ if project.state.is_over() => return Ok(self.store.hand_back(lease, false).await?),
            _ if project.cancel_requested => (Event::Cancelled, "cancelled", cancelled(&project.state)),
            // Nobody wants it to wait any more, or it does already.
            Phase::Paused(..) => return Ok(self.store.hand_back(lease, false).await?),
            _ if !project.pause_requested => return Ok(self.store.hand_back(lease, false).await?),
            _ => (Event::Paused(Pause::User), "paused", Pause::User.to_string()),
        };
        // The step is given back with it: a project that goes on finds it again.
        let cancels = event == Event::Cancelled;
        let change = Change { event: Some((kind, text)), lease: Some(lease.clone()), cancels, ..Change::default() };
        match self.apply(&project, event, change).await {
            Err(error) if is_overtaken(&error) => Ok(self.store.hand_back(lease, false).await?),
            result => result.map(drop),
        }
    }

    /// Makes sure that this version of a plugin is at hand: another worker may have begun the run with it.
    async fn fetch(&self, name: &str, digest: &str) -> Result<()> {
        if self.registry.of_digest(name, digest).is_err()
            && let Some(bytes) = self.store.blob(digest).await?
        {
            self.registry.pins().keep(name, digest, &bytes)?;
            // Compiled now, and not in the transaction that asks for it.
            self.registry.of_digest(name, digest)?;
        }
        Ok(())
    }

    /// A run that goes on, with what it was given when it began.
    async fn again(&self, project: &Project, step: &Step, plugin: &Loaded, run: Run, recorded: Vec<JournalRow>) -> Result<Begun> {
        let files = self.store.files(&run.base_tree).await?;
        // Another machine may have begun it.
        self.refresh_index(project, &self.accepted_files(project).await?).await?;
        let inputs = match run.inputs.as_str() {
            // A version that worked on one task at a time did not write it down: it follows from the project.
            "" => {
                let task = self.task(project, step);
                let results = match (step, &task) {
                    (Step::Verify { .. }, Some(task)) => self.judge(&self.starting_files(project).await?, &files, &task.acceptance).await,
                    _ => Vec::new(),
                };
                let accepted = tree_sha256(&self.accepted_files(project).await?);
                Inputs { job: self.job(project, step, task, plugin, results), accepted, class: None }
            }
            inputs => serde_json::from_str(inputs).context("read what the run was given")?,
        };
        Ok(Begun { run, recorded, inputs, files })
    }

    /// A new run, with what it is given put together from the project as it is now. None: the step came to its end without one.
    async fn begin(&self, lease: &Lease, ready: &Ready, plugin: &Loaded) -> Result<Option<Begun>> {
        let step = &ready.step;
        let looking = self.turn(&lease.project).await;
        let project = self.store.project(&lease.project).await?;
        if !is_wanted(&project, lease) {
            self.store.hand_back(lease, false).await?;
            return Ok(None);
        }
        let accepted = self.accepted_files(&project).await?;
        self.refresh_index(&project, &accepted).await?;
        let files = match (self.draft(&project, step, &accepted).await?, step) {
            (Ok(files), _) => files,
            (Err(paths), Step::Verify { task, .. }) => {
                let mut change = Change { lease: Some(lease.clone()), ..Change::default() };
                let event = conflicted(task, &paths, &mut change);
                return self.apply_or_leave(&project, event, change).await.map(|()| None);
            }
            // What was wrong with the try is known from its findings; it is written anew.
            (Err(_), _) => accepted.clone(),
        };
        drop(looking);
        let task = match step {
            Step::Document => Some(project.state.documents_task(&files)),
            _ => self.task(&project, step),
        };
        let results = match (step, &task) {
            (Step::Verify { .. }, Some(task)) => self.judge(&self.starting_files(&project).await?, &files, &task.acceptance).await,
            // They say what was verified, so they are given it.
            (Step::Document, _) => project.state.tasks.iter().flat_map(|task| task.results.clone()).collect(),
            _ => Vec::new(),
        };
        let job = self.job(&project, step, task, plugin, results);
        let inputs = Inputs { job, accepted: tree_sha256(&accepted), class: project.state.class_of(step) };
        self.store.save_files(&accepted).await?;
        // Without a reviewer the checks alone decide.
        if let Step::Verify { task, .. } = step
            && self.settings.without.verifier
        {
            let verdict = Verdict::Accepted("nobody reviewed it; its checks decided".to_owned());
            let _turn = self.turn(&lease.project).await;
            let project = self.store.project(&project.id).await?;
            if !is_wanted(&project, lease) {
                self.store.hand_back(lease, false).await?;
                return Ok(None);
            }
            let mut change = Change { lease: Some(lease.clone()), ..Change::default() };
            let event = self.verified(&project, task, &inputs, &files, verdict, &mut change).await?;
            return self.apply_or_leave(&project, event, change).await.map(|()| None);
        }
        let base_tree = self.store.save_files(&files).await?;
        let key = project.state.key_of(step);
        self.offer(plugin).await?;
        let new = NewRun {
            project: &project.id,
            step: &ready.name,
            task: key.as_deref(),
            attempt: attempt(step),
            plugin: &plugin.name,
            plugin_sha256: &plugin.sha256,
            base_tree: &base_tree,
            task_limit: self.budget.task_limit,
            run_limit: self.budget.run_limit,
            lease: Some(lease),
        };
        match self.store.begin_run(&new, &serde_json::to_string(&inputs)?).await {
            Ok(run) => Ok(Some(Begun { run, recorded: Vec::new(), inputs, files })),
            Err(StoreError::LeaseLost(_)) => Ok(None),
            Err(error) => Err(error).context("begin the run"),
        }
    }

    /// Puts the plugin where other workers find it, if there can be others.
    async fn offer(&self, plugin: &Loaded) -> Result<()> {
        if self.store.is_shared() && self.offered.lock().unwrap_or_else(PoisonError::into_inner).insert(plugin.sha256.clone()) {
            self.store.save_blob(&self.registry.pins().bytes(&plugin.name, &plugin.sha256)?).await?;
        }
        Ok(())
    }

    /// Commits, or gives the step back where the project changed meanwhile.
    pub(super) async fn apply_or_leave(&self, project: &Project, event: Event, change: Change) -> Result<()> {
        let lease = change.lease.clone();
        match (self.apply(project, event, change).await, lease) {
            (Err(error), Some(lease)) if is_overtaken(&error) => Ok(self.store.hand_back(&lease, false).await?),
            (result, _) => result.map(drop),
        }
    }

    /// The last try of the task, if there was one, together with what was accepted since; or the files that both changed.
    async fn draft(&self, project: &Project, step: &Step, accepted: &Files) -> Result<Result<Files, Vec<ProjectPath>>> {
        let progress = step.task().and_then(|task| project.state.progress(task));
        let Some(candidate) = progress.and_then(|progress| progress.candidate.as_deref()) else { return Ok(Ok(accepted.clone())) };
        let candidate = self.store.files(candidate).await?;
        match progress.and_then(|progress| progress.base.as_deref()) {
            Some(base) => Ok(merge(&self.store.files(base).await?, accepted, &candidate)),
            None => Ok(Ok(candidate)),
        }
    }

    fn task(&self, project: &Project, step: &Step) -> Option<Task> {
        step.task().and_then(|id| project.state.plan.as_ref()?.task(id)).cloned()
    }

    fn job(&self, project: &Project, step: &Step, task: Option<Task>, plugin: &Loaded, results: Vec<CheckResult>) -> Job {
        let state = &project.state;
        let progress = step.task().and_then(|task| state.progress(task));
        let settings = self.settings.plugin_settings.get(&plugin.name);
        Job {
            idea: state.idea.clone(),
            locale: "en".to_owned(),
            languages: self.checks.languages(),
            brief: state.brief.clone(),
            plan: state.plan.clone(),
            task,
            attempt: attempt(step),
            findings: progress.map(|progress| progress.findings.clone()).unwrap_or_default(),
            results,
            accepted: state.accepted(),
            attachments: Vec::new(),
            settings: settings.map(|settings| settings.clone().into_iter().collect()).unwrap_or_default(),
            previous_brief: state.revision.as_ref().and_then(|revision| revision.before.brief.clone()),
            change_request: state.revision.as_ref().map(|revision| revision.request.clone()),
        }
    }
}

/// Whether a step may still begin: while it waited for its turn, another one may have ended or paused the project, or the user.
fn is_wanted(project: &Project, lease: &Lease) -> bool {
    project.state.steps().contains(&lease.step) && !project.cancel_requested && !project.pause_requested
}

/// Whether somebody else changed the project, or took the step, between a look and the commit.
pub(super) fn is_overtaken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Conflict(_) | StoreError::LeaseLost(_)))
}

/// What the run may write: for an implementer and a documenter the task's files, never those of a check; for the others nothing.
pub(super) fn overlay(job: &Job, step: &Step, files: Files) -> Overlay {
    let writable = match (step, &job.task) {
        (Step::Implement { .. } | Step::Document, Some(task)) => {
            task.files.iter().filter_map(|file| FilePattern::parse(file).ok()).collect()
        }
        _ => Vec::new(),
    };
    let checks = job.plan.iter().flat_map(|plan| plan.check_files());
    let protected = checks.filter_map(|file| ProjectPath::parse(&file.path).ok()).collect();
    Overlay::new(files, writable, protected)
}

/// Names what a run returned: its value, and the files as it left them. Empty where it returned nothing.
pub(super) fn result_sha256(ended: &Ended) -> String {
    match &ended.outcome {
        Outcome::Returned(result) => {
            let result = result.as_ref().map_err(ToString::to_string);
            let text = serde_json::to_string(&(result, ended.overlay.sha256())).expect("our own nouns always serialize");
            sha256(text.as_bytes())
        }
        _ => String::new(),
    }
}

fn attempt(step: &Step) -> u32 {
    match step {
        Step::Implement { attempt, .. } | Step::Verify { attempt, .. } => *attempt,
        _ => 1,
    }
}

pub(super) fn export(step: &Step) -> Export {
    match step {
        Step::Elicit => Export::Elicit,
        Step::MakePlan => Export::MakePlan,
        Step::Implement { .. } => Export::Implement,
        Step::Verify { .. } => Export::Verify,
        Step::Document => Export::Document,
    }
}
