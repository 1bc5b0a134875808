//! What the outcome of a run is for its project, and whether it counts at all: the step may be somebody else's by now, or nobody's.

use super::Orchestrator;
use super::control::{DECISIONS_MAX, cancelled};
use super::step::{Inputs, is_overtaken, result_sha256};
use crate::plugins::api::words::line;
use crate::plugins::run::{Ended, Outcome, Value, is_outage};
use crate::project::documents::written;
use crate::project::plan::{brief_problems, handed_over_problems, plan_problems};
use crate::project::{Event, Failure, Pause, Ready, SUMMARY_CHARS_MAX, Step, Work};
use crate::store::StoreError;
use crate::store::projects::{Asked, Change, Project};
use crate::store::runs::RunEnd;
use crate::store::steps::{Lease, Standing};
use crate::workspace::Files;
use anyhow::{Result, bail};
use std::time::Duration;

/// A journal that a plugin leaves twice will be left again.
const DIVERGENCES_MAX: u32 = 2;
/// How long a call under way may take to settle when its run has ended.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
/// A step that meets a fault of the host so often is for an operator to look at.
const FAULTS_MAX: u32 = 8;

impl Orchestrator {
    /// Turns the outcome into an event and commits it together with the run's end; once more where somebody else changed the project
    /// meanwhile.
    pub(super) async fn conclude(&self, lease: &Lease, run: &str, ready: &Ready, ended: Ended, inputs: Inputs) -> Result<()> {
        let _turn = self.turn(&lease.project).await;
        for _ in 0..DECISIONS_MAX {
            if self.store.standing(lease).await? != Standing::Held {
                return self.leave(lease, run, &ended).await;
            }
            let project = self.store.project(&lease.project).await?;
            if matches!(ended.outcome, Outcome::Suspended(_)) && self.gateway.is_closing() {
                return Ok(self.store.hand_back(lease, false).await?);
            }
            let Some((event, change)) = self.meaning(lease, run, ready, &ended, &inputs, &project).await? else { return Ok(()) };
            match self.apply(&project, event, change).await {
                Err(error) if is_overtaken(&error) => {}
                result => return result.map(drop),
            }
        }
        Err(StoreError::Conflict(lease.project.clone()).into())
    }

    /// A run whose result does not count: its step is somebody else's, or nobody's. Where the project may want the step once more, the
    /// run stays as it is.
    async fn leave(&self, lease: &Lease, run: &str, ended: &Ended) -> Result<()> {
        self.gateway.settled(run, SETTLE_LIMIT).await;
        let project = self.store.project(&lease.project).await?;
        if self.store.standing(lease).await? == Standing::Gone && !project.state.may_return(&lease.step) {
            let why = match project.state.is_over() {
                true => format!("the project is {}", project.state.phase.word()),
                false => "it was begun anew meanwhile".to_owned(),
            };
            // Its last calls are not stored, so it is nothing to compare a replay with.
            let end = RunEnd { result_sha256: String::new(), ..run_end(run, ended, "failed", why, false) };
            self.store.end_run(None, &end).await?;
        }
        Ok(())
    }

    /// What the outcome is for the project, with all that belongs to it; nothing where it is seen to already.
    async fn meaning(
        &self,
        lease: &Lease,
        run: &str,
        ready: &Ready,
        ended: &Ended,
        inputs: &Inputs,
        project: &Project,
    ) -> Result<Option<(Event, Change)>> {
        let failed = |why: String| Event::StepFailed { task: ready.step.task().map(str::to_owned), why };
        let end = |outcome, detail: String, refund| run_end(run, ended, outcome, detail, refund);
        let mut change = Change { journal: ended.pending.clone(), lease: Some(lease.clone()), ..Change::default() };
        let event = match &ended.outcome {
            Outcome::HostFailed(why) => bail!("{why}"),
            Outcome::Asked { seq, fingerprint, question } => {
                let (fingerprint, question) = (fingerprint.clone(), question.clone());
                change.event = Some(("question", question.text.clone()));
                change.asked = Some(Asked { run: run.to_owned(), seq: *seq, fingerprint, question: question.clone() });
                Event::Asked(question)
            }
            // Somebody wanted it to wait, and does not any more, or it does already.
            Outcome::Suspended(Pause::User) if !project.pause_requested => {
                self.store.hand_back(lease, false).await?;
                return Ok(None);
            }
            Outcome::Suspended(pause) => {
                change.event = Some(("paused", pause.to_string()));
                Event::Paused(pause.clone())
            }
            Outcome::Cancelled => {
                self.gateway.settled(run, SETTLE_LIMIT).await;
                change.run_end = Some(end("failed", "cancelled".to_owned(), false));
                change.event = Some(("cancelled", cancelled(&project.state)));
                change.cancels = true;
                Event::Cancelled
            }
            Outcome::Diverged(diverged) => {
                tracing::warn!(%run, "the run left its journal: {diverged}");
                // What this instance did after it left the path belongs to no journal.
                match self.store.end_run(Some(lease), &end("diverged", diverged.to_string(), true)).await {
                    Err(StoreError::LeaseLost(_)) => return Ok(None),
                    ended => ended?,
                }
                if self.store.diverged_runs(&project.id, &ready.name).await? < DIVERGENCES_MAX {
                    self.store.note(&project.id, "diverged", &diverged.to_string()).await?;
                    self.store.hand_back(lease, false).await?;
                    return Ok(None);
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
            Outcome::Returned(Err(failure)) if is_outage(failure) => {
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
                    (Value::Work(work), Step::Implement { task, .. }) => {
                        change.files = Some(ended.overlay.files().clone());
                        let work = Work { summary: line(&work.summary, SUMMARY_CHARS_MAX), ..work.clone() };
                        change.event = Some(("written", work.summary.clone()));
                        let (base, tree) = (inputs.accepted.clone(), ended.overlay.sha256());
                        Event::Implemented { task: task.clone(), base, tree, work }
                    }
                    (Value::Verdict(verdict), Step::Verify { task, .. }) => {
                        self.verified(project, task, inputs, ended.overlay.files(), verdict.clone(), &mut change).await?
                    }
                    (Value::Documents(summary), Step::Document) => {
                        self.documented(inputs, summary, ended, &mut change).await?.unwrap_or_else(failed)
                    }
                    (value, _) => {
                        let handed = self.handed_over_files(project).await?;
                        understood(project, &handed, value.clone(), &mut change).unwrap_or_else(failed)
                    }
                };
                let outcome = if matches!(event, Event::StepFailed { .. }) { "failed" } else { "done" };
                change.run_end = Some(end(outcome, String::new(), false));
                event
            }
        };
        if let Event::StepFailed { why, .. } = &event {
            change.event = Some(("failed", why.clone()));
        }
        Ok(Some((event, change)))
    }

    /// Documents, after the host's own look at them; or why they are none.
    async fn documented(&self, inputs: &Inputs, summary: &str, ended: &Ended, change: &mut Change) -> Result<Result<Event, String>> {
        let (before, after) = (self.store.files(&inputs.accepted).await?, ended.overlay.files());
        let Some(brief) = &inputs.job.brief else { return Ok(Err("there is no brief to write documents of".to_owned())) };
        Ok(written(brief, &before, after).map(|paths| {
            let summary = line(summary, SUMMARY_CHARS_MAX);
            change.files = Some(after.clone());
            change.event = Some(("documented", format!("{}: {summary}", paths.iter().cloned().collect::<Vec<_>>().join(", "))));
            Event::Documented { tree: ended.overlay.sha256(), summary, paths }
        }))
    }

    /// Gives a step back that met a fault of the host, for a while; after too many of them an operator has to look.
    pub(super) async fn give_back_faulty(&self, lease: &Lease, why: &str) -> Result<()> {
        tracing::warn!("step {} of {} met a fault of the host: {why}", lease.step, lease.project);
        if lease.faults + 1 < FAULTS_MAX {
            return Ok(self.store.hand_back(lease, true).await?);
        }
        let project = self.store.project(&lease.project).await?;
        let pause = Pause::Operator(line(why, SUMMARY_CHARS_MAX));
        let change = Change { event: Some(("paused", pause.to_string())), lease: Some(lease.clone()), ..Change::default() };
        self.apply_or_leave(&project, Event::Paused(pause), change).await
    }
}

/// What a returned brief or plan means, after the host's own look at it; or why it can't be used.
fn understood(project: &Project, handed: &Files, value: Value, change: &mut Change) -> Result<Event, String> {
    match value {
        Value::Brief(brief) => match brief_problems(&brief) {
            problems if problems.is_empty() => {
                change.event = Some(("brief", brief.title.clone()));
                Ok(Event::Elicited(brief))
            }
            problems => Err(format!("the brief is not sound: {}", problems.join("; "))),
        },
        Value::Plan(plan) => {
            let whole = project.state.whole_plan(plan.clone());
            let mut problems = project.state.brief.as_ref().map(|brief| plan_problems(&whole, brief)).unwrap_or_default();
            problems.extend(handed_over_problems(&whole, handed));
            if !problems.is_empty() {
                return Err(format!("the plan is not sound: {}", problems.join("; ")));
            }
            let count = plan.tasks.len();
            change.event = Some(("planned", if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }));
            Ok(Event::Planned(plan))
        }
        Value::Work(_) | Value::Verdict(_) | Value::Documents(_) => Err("the plugin returned what belongs to another step".to_owned()),
    }
}

fn run_end(run: &str, ended: &Ended, outcome: &'static str, detail: String, refund: bool) -> RunEnd {
    RunEnd {
        run: run.to_owned(),
        outcome,
        detail,
        fuel: ended.fuel,
        memory_peak_bytes: ended.memory_peak_bytes,
        host_calls: ended.host_calls,
        refund,
        result_sha256: result_sha256(ended),
    }
}
