//! One step: a run of one plugin export, from the job it is given to the event that its outcome is.

use super::Orchestrator;
use crate::plugins::api::words::line;
use crate::plugins::imports::{Context as RunContext, Job, Owner};
use crate::plugins::registry::Loaded;
use crate::plugins::run::{self, Ended, Export, Outcome, Value, is_outage};
use crate::project::plan::{brief_problems, plan_problems};
use crate::project::{Acceptance, Check, CheckResult, CheckStatus, Event, Failure, Pause, Step, Task, Verdict};
use crate::store::projects::{Asked, Change, Project};
use crate::store::runs::{NewRun, RunEnd};
use crate::workspace::overlay::Overlay;
use crate::workspace::path::{FilePattern, ProjectPath};
use crate::workspace::{Files, tree_sha256};
use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::sync::watch;

/// A journal that a plugin leaves twice will be left again.
const DIVERGENCES_MAX: u32 = 2;
/// What the implementer says it did becomes a line of the history.
const SUMMARY_CHARS_MAX: usize = 300;
/// How long a call under way may take to settle when its run has ended.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
/// How often a worker looks whether its project is to stop.
const CANCEL_INTERVAL: Duration = Duration::from_millis(250);

impl Orchestrator {
    /// Runs one step and commits what came of it.
    pub(super) async fn step(&self, project: Project, step: &Step, name: &str) -> Result<Project> {
        if self.store.cancel_requested(&project.id).await? {
            return self.cancel(&project).await;
        }
        let plugin = self.registry.for_world(step.world())?;
        let accepted = self.accepted_files(&project).await?;
        self.refresh_index(&project, &accepted).await?;
        let task = step.task().and_then(|id| project.state.plan.as_ref()?.task(id)).cloned();
        let files = match self.draft(&project, step) {
            Some(tree) => self.store.files(&tree).await?,
            None => accepted,
        };
        self.store.save_files(&files).await?;
        let results = match (step, &task) {
            (Step::Verify { .. }, Some(task)) => {
                let before = match (&project.state.brief, &project.state.plan) {
                    (Some(brief), Some(plan)) => crate::delivery::starting_files(brief, plan),
                    _ => Files::new(),
                };
                self.judge(&before, &files, &task.acceptance).await
            }
            _ => Vec::new(),
        };
        // Without a reviewer the checks alone decide.
        if let Step::Verify { .. } = step
            && self.settings.without.verifier
        {
            let verdict = Verdict::Accepted("nobody reviewed it; its checks decided".to_owned());
            return self.apply(&project, Event::Verified { results, verdict }, Change::default()).await;
        }
        let new_run = NewRun {
            project: &project.id,
            step: name,
            task: step.task(),
            attempt: attempt(step),
            plugin: &plugin.name,
            plugin_sha256: &plugin.sha256,
            base_tree: &tree_sha256(&files),
            task_limit: self.budget.task_limit,
            run_limit: self.budget.run_limit,
        };
        let (run, recorded) = self.store.open_run(&new_run).await.context("open the run")?;
        if run.incarnations > 1 {
            tracing::info!(run = %run.id, "replaying {} host calls", recorded.len());
        }
        let owner = Owner { project: project.id.clone(), run: run.id.clone(), wallet: project.wallet.clone() };
        let overlay = overlay(&project, step, task.as_ref(), files);
        let job = self.job(&project, step, task, &plugin, results.clone());
        let mut context = RunContext::new(owner, plugin.limits, plugin.granted(step.export()), job, overlay, self.services(), recorded);
        if step.task().is_some() {
            context = context.without_questions();
        }
        let slot = self.agent_runs.acquire().await;
        let ended = self.call(&project.id, &plugin, export(step), context).await;
        drop(slot);
        self.conclude(project, &run.id, name, ended, results).await
    }

    /// Calls the plugin while watching for a request to stop.
    async fn call(&self, project: &str, plugin: &Loaded, export: Export, context: RunContext) -> Ended {
        let (stop, stopped) = watch::channel(false);
        let watching = async {
            loop {
                tokio::time::sleep(CANCEL_INTERVAL).await;
                if self.store.cancel_requested(project).await.unwrap_or(false) {
                    let _ = stop.send(true);
                }
            }
        };
        tokio::select! {
            ended = run::call(plugin, export, context, stopped) => ended,
            () = watching => unreachable!("the watch has no end"),
        }
    }

    /// Turns the outcome into an event and commits it together with the run's end.
    async fn conclude(&self, project: Project, run: &str, name: &str, ended: Ended, results: Vec<CheckResult>) -> Result<Project> {
        let (fuel, memory_peak_bytes, host_calls) = (ended.fuel, ended.memory_peak_bytes, ended.host_calls);
        let end =
            |outcome, detail: String, refund| RunEnd { run: run.to_owned(), outcome, detail, fuel, memory_peak_bytes, host_calls, refund };
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
                self.gateway.drain(SETTLE_LIMIT).await;
                change.run_end = Some(end("failed", "cancelled".to_owned(), false));
                change.event = Some(("cancelled", "cancelled by the user".to_owned()));
                Event::Cancelled
            }
            Outcome::Diverged(diverged) => {
                tracing::warn!(%run, "the run left its journal: {diverged}");
                // What this instance did after it left the path belongs to no journal.
                self.store.end_run(&end("diverged", diverged.to_string(), true)).await?;
                if self.store.diverged_runs(&project.id, name).await? < DIVERGENCES_MAX {
                    self.store.note(&project.id, "diverged", &diverged.to_string()).await?;
                    return Ok(project);
                }
                change.journal.clear();
                Event::StepFailed(format!("the plugin does not repeat itself: {diverged}"))
            }
            Outcome::Killed(why) => {
                // A call under way is settled first, so that it is given back with the others.
                self.gateway.drain(SETTLE_LIMIT).await;
                change.run_end = Some(end("failed", why.clone(), true));
                Event::StepFailed(format!("the plugin was stopped: {why}"))
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
                Event::StepFailed(failure.to_string())
            }
            Outcome::Returned(Ok(value)) => {
                let event = accept_value(&project, value, &ended.overlay, results, &mut change);
                let outcome = if matches!(event, Event::StepFailed(_)) { "failed" } else { "done" };
                change.run_end = Some(end(outcome, String::new(), false));
                event
            }
        };
        if let Event::StepFailed(why) = &event {
            change.event = Some(("failed", why.clone()));
        }
        self.apply(&project, event, change).await
    }

    /// The host's own results on these files. A check that holds before any work was done shows nothing.
    pub(super) async fn judge(&self, before: &Files, files: &Files, acceptance: &[Acceptance]) -> Vec<CheckResult> {
        let mut results = self.checks.run(files, acceptance).await;
        let passed: Vec<Acceptance> = acceptance
            .iter()
            .zip(&results)
            .filter(|(entry, result)| result.status == CheckStatus::Passed && could_run_before(&entry.check, before))
            .map(|(entry, _)| entry.clone())
            .collect();
        for vacuous in self.checks.run(before, &passed).await.into_iter().filter(|result| result.status == CheckStatus::Passed) {
            if let Some(result) = results.iter_mut().find(|result| result.check == vacuous.check) {
                result.status = CheckStatus::NotRun;
                result.detail = "it held before any work was done, so it shows nothing".to_owned();
            }
        }
        results
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

    /// The files of the last try of the task, if there was one.
    fn draft(&self, project: &Project, step: &Step) -> Option<String> {
        project.state.progress(step.task()?)?.candidate.clone()
    }
}

/// What a returned value means, after the host's own look at it.
fn accept_value(project: &Project, value: Value, overlay: &Overlay, results: Vec<CheckResult>, change: &mut Change) -> Event {
    match value {
        Value::Brief(brief) => match brief_problems(&brief) {
            problems if problems.is_empty() => {
                change.event = Some(("brief", brief.title.clone()));
                Event::Elicited(brief)
            }
            problems => Event::StepFailed(format!("the brief is not sound: {}", problems.join("; "))),
        },
        Value::Plan(plan) => {
            let problems = project.state.brief.as_ref().map(|brief| plan_problems(&plan, brief)).unwrap_or_default();
            if !problems.is_empty() {
                return Event::StepFailed(format!("the plan is not sound: {}", problems.join("; ")));
            }
            change.event = Some(("planned", format!("{} tasks", plan.tasks.len())));
            Event::Planned(plan)
        }
        Value::Summary(summary) => {
            change.files = Some(overlay.files().clone());
            let summary = line(&summary, SUMMARY_CHARS_MAX);
            change.event = Some(("written", summary.clone()));
            Event::Implemented { tree: overlay.sha256(), summary }
        }
        Value::Verdict(verdict) => {
            let failed = results.iter().find(|result| result.status == CheckStatus::Failed);
            change.event = Some(match (&verdict, failed) {
                (_, Some(failed)) => ("rejected", format!("check {} failed: {}", failed.check, line(&failed.detail, SUMMARY_CHARS_MAX))),
                (Verdict::Accepted(why), None) => ("accepted", why.clone()),
                (Verdict::Rejected(findings), None) => {
                    ("rejected", findings.first().map(|finding| finding.message.clone()).unwrap_or_default())
                }
            });
            Event::Verified { results, verdict }
        }
    }
}

/// A command whose script is not there yet fails as expected failures do; that says nothing about the check.
fn could_run_before(check: &Check, before: &Files) -> bool {
    let Check::Command(steps) = check else { return true };
    let script = |word: &String| ProjectPath::parse(word).ok().filter(|path| path.as_ref().contains('.'));
    steps.iter().all(|step| step.arguments.iter().skip(1).find_map(script).is_none_or(|path| before.contains_key(&path)))
}

/// What the run may write: for an implementer the task's files, never those of a check; for the others nothing.
fn overlay(project: &Project, step: &Step, task: Option<&Task>, files: Files) -> Overlay {
    let writable = match (step, task) {
        (Step::Implement { .. }, Some(task)) => task.files.iter().filter_map(|file| FilePattern::parse(file).ok()).collect(),
        _ => Vec::new(),
    };
    let checks = project.state.plan.iter().flat_map(|plan| plan.check_files());
    let protected = checks.filter_map(|file| ProjectPath::parse(&file.path).ok()).collect();
    Overlay::new(files, writable, protected)
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
