//! One step: a run of one plugin export, from the job it is given to the event that its outcome is.

use super::Orchestrator;
use super::judging::{conflicted, starting_files};
use crate::plugins::api::words::line;
use crate::plugins::imports::{Context as RunContext, Job, Owner};
use crate::plugins::registry::Loaded;
use crate::plugins::run::{self, Ended, Export, Outcome, Value, is_outage};
use crate::project::plan::{brief_problems, plan_problems};
use crate::project::{CheckResult, Event, Failure, Pause, Phase, Ready, Step, Task, Verdict};
use crate::store::projects::{Asked, Change, Project, Wish};
use crate::store::runs::{JournalRow, NewRun, Run, RunEnd};
use crate::workspace::merge::merge;
use crate::workspace::overlay::Overlay;
use crate::workspace::path::{FilePattern, ProjectPath};
use crate::workspace::{Files, sha256, tree_sha256};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// A journal that a plugin leaves twice will be left again.
const DIVERGENCES_MAX: u32 = 2;
/// What the implementer says it did becomes a line of the history.
pub(super) const SUMMARY_CHARS_MAX: usize = 300;
/// How long a call under way may take to settle when its run has ended.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
/// How often a worker looks whether its project is to stop or to wait.
const WISH_INTERVAL: Duration = Duration::from_millis(250);

/// What a run is given beside its files. It is stored with the run, so that a replay gets the same, whatever was accepted meanwhile.
#[derive(Serialize, Deserialize)]
pub(super) struct Inputs {
    pub job: Job,
    /// The accepted files that the run's own began from.
    pub accepted: String,
}

/// A run with all that it needs.
struct Begun {
    run: Run,
    recorded: Vec<JournalRow>,
    inputs: Inputs,
    files: Files,
}

impl Orchestrator {
    /// Runs one step and commits what came of it. Steps of one project take turns at looking at its files and at changing it.
    pub(super) async fn step(&self, project: &str, ready: &Ready, turn: &Mutex<()>) -> Result<()> {
        let step = &ready.step;
        let mut plugin = self.registry.for_world(step.world())?;
        let project = self.store.project(project).await?;
        if project.cancel_requested || project.pause_requested {
            return self.obey(&project.id, turn).await;
        }
        let keeps = |digest: &str| self.registry.of_digest(&plugin.name, digest).is_ok();
        let begun = match self.store.resume_run(&project.id, &ready.name, keeps).await.context("resume the run")? {
            Some((run, recorded)) => {
                plugin = self.registry.of_digest(&plugin.name.clone(), &run.plugin_sha256)?;
                Some(self.again(&project, step, &plugin, run, recorded).await?)
            }
            None => self.begin(&project.id, ready, &plugin, turn).await?,
        };
        let Some(Begun { run, recorded, inputs, files }) = begun else { return Ok(()) };
        if run.incarnations > 1 {
            tracing::info!(run = %run.id, "replaying {} host calls", recorded.len());
        }
        let owner = Owner { project: project.id.clone(), run: run.id.clone(), wallet: project.wallet.clone() };
        let overlay = overlay(&project, step, inputs.job.task.as_ref(), files);
        let (granted, job) = (plugin.granted(step.export()), inputs.job.clone());
        let mut context = RunContext::new(owner, plugin.limits, granted, job, overlay, self.services(), recorded);
        if step.task().is_some() {
            context = context.without_questions();
        }
        let slot = self.agent_runs.acquire().await;
        let ended = self.call(&project.id, &plugin, export(step), context).await;
        drop(slot);
        let _turn = turn.lock().await;
        self.conclude(&project.id, &run.id, ready, ended, inputs).await
    }

    /// Ends or pauses a project as somebody wants, unless another of its steps did.
    pub(super) async fn obey(&self, project: &str, turn: &Mutex<()>) -> Result<()> {
        let _turn = turn.lock().await;
        let project = self.store.project(project).await?;
        match project.state.phase {
            _ if project.state.is_over() => {}
            _ if project.cancel_requested => drop(self.cancel(&project).await?),
            Phase::Paused(..) => {}
            _ if project.pause_requested => drop(self.pause(&project).await?),
            _ => {}
        }
        Ok(())
    }

    /// A run that goes on, with what it was given when it began.
    async fn again(&self, project: &Project, step: &Step, plugin: &Loaded, run: Run, recorded: Vec<JournalRow>) -> Result<Begun> {
        let files = self.store.files(&run.base_tree).await?;
        let inputs = match run.inputs.as_str() {
            // A version that worked on one task at a time did not write it down: it follows from the project.
            "" => {
                let task = self.task(project, step);
                let results = match (step, &task) {
                    (Step::Verify { .. }, Some(task)) => self.judge(&starting_files(project), &files, &task.acceptance).await,
                    _ => Vec::new(),
                };
                let accepted = tree_sha256(&self.accepted_files(project).await?);
                Inputs { job: self.job(project, step, task, plugin, results), accepted }
            }
            inputs => serde_json::from_str(inputs).context("read what the run was given")?,
        };
        Ok(Begun { run, recorded, inputs, files })
    }

    /// A new run, with what it is given put together from the project as it is now. None: the step came to its end without one.
    async fn begin(&self, project: &str, ready: &Ready, plugin: &Loaded, turn: &Mutex<()>) -> Result<Option<Begun>> {
        let step = &ready.step;
        let looking = turn.lock().await;
        let project = self.store.project(project).await?;
        if !is_wanted(&project) {
            return Ok(None);
        }
        let accepted = self.accepted_files(&project).await?;
        self.refresh_index(&project, &accepted).await?;
        let files = match (self.draft(&project, step, &accepted).await?, step) {
            (Ok(files), _) => files,
            (Err(paths), Step::Verify { task, .. }) => {
                let mut change = Change::default();
                let event = conflicted(task, &paths, &mut change);
                self.apply(&project, event, change).await?;
                return Ok(None);
            }
            // What was wrong with the try is known from its findings; it is written anew.
            (Err(_), _) => accepted.clone(),
        };
        drop(looking);
        let task = self.task(&project, step);
        let results = match (step, &task) {
            (Step::Verify { .. }, Some(task)) => self.judge(&starting_files(&project), &files, &task.acceptance).await,
            _ => Vec::new(),
        };
        let inputs = Inputs { job: self.job(&project, step, task, plugin, results), accepted: tree_sha256(&accepted) };
        self.store.save_files(&accepted).await?;
        // Without a reviewer the checks alone decide.
        if let Step::Verify { task, .. } = step
            && self.settings.without.verifier
        {
            let verdict = Verdict::Accepted("nobody reviewed it; its checks decided".to_owned());
            let _turn = turn.lock().await;
            let (project, mut change) = (self.store.project(&project.id).await?, Change::default());
            if !is_wanted(&project) {
                return Ok(None);
            }
            let event = self.verified(&project, task, inputs, &files, verdict, &mut change).await?;
            self.apply(&project, event, change).await?;
            return Ok(None);
        }
        let base_tree = self.store.save_files(&files).await?;
        let new = NewRun {
            project: &project.id,
            step: &ready.name,
            task: step.task(),
            attempt: attempt(step),
            plugin: &plugin.name,
            plugin_sha256: &plugin.sha256,
            base_tree: &base_tree,
            task_limit: self.budget.task_limit,
            run_limit: self.budget.run_limit,
        };
        let run = self.store.begin_run(&new, &serde_json::to_string(&inputs)?).await.context("begin the run")?;
        Ok(Some(Begun { run, recorded: Vec::new(), inputs, files }))
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

    /// Calls the plugin while watching for a request to stop.
    async fn call(&self, project: &str, plugin: &Loaded, export: Export, context: RunContext) -> Ended {
        let (stop, stopped) = watch::channel(false);
        let pausing = context.pausing();
        let watching = async {
            loop {
                tokio::time::sleep(WISH_INTERVAL).await;
                match self.store.wished(project).await {
                    Ok(Wish::Cancel) => drop(stop.send(true)),
                    Ok(Wish::Pause) => pausing.store(true, Ordering::Relaxed),
                    Ok(Wish::GoOn) | Err(_) => {}
                }
            }
        };
        tokio::select! {
            ended = run::call(plugin, export, context, stopped) => ended,
            () = watching => unreachable!("the watch has no end"),
        }
    }

    /// Turns the outcome into an event and commits it together with the run's end.
    async fn conclude(&self, project: &str, run: &str, ready: &Ready, ended: Ended, inputs: Inputs) -> Result<()> {
        let project = self.store.project(project).await?;
        let failed = |why: String| Event::StepFailed { task: ready.step.task().map(str::to_owned), why };
        let (fuel, memory_peak_bytes, host_calls) = (ended.fuel, ended.memory_peak_bytes, ended.host_calls);
        let result_sha256 = result_sha256(&ended);
        let end = |outcome, detail: String, refund| {
            let (run, result_sha256) = (run.to_owned(), result_sha256.clone());
            RunEnd { run, outcome, detail, fuel, memory_peak_bytes, host_calls, refund, result_sha256 }
        };
        if project.state.is_over() {
            // Another step of the project ended it, as where the user cancels.
            self.gateway.settled(run, SETTLE_LIMIT).await;
            let end = end("failed", format!("the project is {}", project.state.phase.word()), false);
            // Its last calls are not stored, so it is nothing to compare a replay with.
            return Ok(self.store.end_run(&RunEnd { result_sha256: String::new(), ..end }).await?);
        }
        let mut change = Change { journal: ended.pending, ..Change::default() };
        let event = match ended.outcome {
            Outcome::HostFailed(why) => bail!("{why}"),
            Outcome::Asked { seq, fingerprint, question } => {
                change.event = Some(("question", question.text.clone()));
                change.asked = Some(Asked { run: run.to_owned(), seq, fingerprint, question: question.clone() });
                Event::Asked(question)
            }
            Outcome::Suspended(pause) => {
                change.event = Some(("paused", pause.to_string()));
                Event::Paused(pause)
            }
            Outcome::Cancelled => {
                self.gateway.settled(run, SETTLE_LIMIT).await;
                change.run_end = Some(end("failed", "cancelled".to_owned(), false));
                change.event = Some(("cancelled", "cancelled by the user".to_owned()));
                Event::Cancelled
            }
            Outcome::Diverged(diverged) => {
                tracing::warn!(%run, "the run left its journal: {diverged}");
                // What this instance did after it left the path belongs to no journal.
                self.store.end_run(&end("diverged", diverged.to_string(), true)).await?;
                if self.store.diverged_runs(&project.id, &ready.name).await? < DIVERGENCES_MAX {
                    self.store.note(&project.id, "diverged", &diverged.to_string()).await?;
                    return Ok(());
                }
                change.journal.clear();
                failed(format!("the plugin does not repeat itself: {diverged}"))
            }
            Outcome::Killed(why) => {
                // A call under way is settled first, so that it is given back with the others.
                self.gateway.settled(run, SETTLE_LIMIT).await;
                change.run_end = Some(end("failed", why.clone(), true));
                failed(format!("the plugin was stopped: {why}"))
            }
            // The step begins anew when the provider is back, so what this run was charged is given back.
            Outcome::Returned(Err(failure)) if is_outage(&failure) => {
                let why = failure.to_string();
                change.run_end = Some(end("failed", why.clone(), true));
                change.event = Some(("paused", why.clone()));
                Event::Paused(Pause::Provider(why))
            }
            Outcome::Returned(Err(failure)) => {
                let unusable = matches!(failure, Failure::UnusableReply(_));
                change.run_end = Some(end("failed", failure.to_string(), unusable));
                failed(failure.to_string())
            }
            Outcome::Returned(Ok(value)) => {
                let event = match (value, &ready.step) {
                    (Value::Summary(summary), Step::Implement { task, .. }) => {
                        change.files = Some(ended.overlay.files().clone());
                        let summary = line(&summary, SUMMARY_CHARS_MAX);
                        change.event = Some(("written", summary.clone()));
                        Event::Implemented { task: task.clone(), base: inputs.accepted, tree: ended.overlay.sha256(), summary }
                    }
                    (Value::Verdict(verdict), Step::Verify { task, .. }) => {
                        self.verified(&project, task, inputs, ended.overlay.files(), verdict, &mut change).await?
                    }
                    (value, _) => understood(&project, value, &mut change).unwrap_or_else(failed),
                };
                let outcome = if matches!(event, Event::StepFailed { .. }) { "failed" } else { "done" };
                change.run_end = Some(end(outcome, String::new(), false));
                event
            }
        };
        if let Event::StepFailed { why, .. } = &event {
            change.event = Some(("failed", why.clone()));
        }
        self.apply(&project, event, change).await.map(drop)
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
        }
    }
}

/// Whether a step may still begin: while it waited for its turn, another one may have ended or paused the project, or the user.
fn is_wanted(project: &Project) -> bool {
    let stands = project.state.is_over() || matches!(project.state.phase, Phase::Paused(..));
    !stands && !project.cancel_requested && !project.pause_requested
}

/// What a returned brief or plan means, after the host's own look at it; or why it can't be used.
fn understood(project: &Project, value: Value, change: &mut Change) -> Result<Event, String> {
    match value {
        Value::Brief(brief) => match brief_problems(&brief) {
            problems if problems.is_empty() => {
                change.event = Some(("brief", brief.title.clone()));
                Ok(Event::Elicited(brief))
            }
            problems => Err(format!("the brief is not sound: {}", problems.join("; "))),
        },
        Value::Plan(plan) => {
            let problems = project.state.brief.as_ref().map(|brief| plan_problems(&plan, brief)).unwrap_or_default();
            if !problems.is_empty() {
                return Err(format!("the plan is not sound: {}", problems.join("; ")));
            }
            change.event = Some(("planned", format!("{} tasks", plan.tasks.len())));
            Ok(Event::Planned(plan))
        }
        Value::Summary(_) | Value::Verdict(_) => Err("the plugin returned what belongs to another step".to_owned()),
    }
}

/// What the run may write: for an implementer the task's files, never those of a check; for the others nothing.
pub(super) fn overlay(project: &Project, step: &Step, task: Option<&Task>, files: Files) -> Overlay {
    let writable = match (step, task) {
        (Step::Implement { .. }, Some(task)) => task.files.iter().filter_map(|file| FilePattern::parse(file).ok()).collect(),
        _ => Vec::new(),
    };
    let checks = project.state.plan.iter().flat_map(|plan| plan.check_files());
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

fn export(step: &Step) -> Export {
    match step {
        Step::Elicit => Export::Elicit,
        Step::MakePlan => Export::MakePlan,
        Step::Implement { .. } => Export::Implement,
        Step::Verify { .. } => Export::Verify,
    }
}
