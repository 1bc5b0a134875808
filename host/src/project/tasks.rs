//! The tasks of a project: which can be worked on, and what a try, its judgement, a conflict or a failure makes of one. All of it is
//! part of [`decide`](super::decide).

use super::next::{Ready, Step};
use super::nouns::{AcceptedTask, CheckResult, CheckStatus, Finding, Verdict};
use super::state::{Action, Pause, Phase, STEP_TRIES_MAX, State};
use serde::{Deserialize, Serialize};

/// Two tries bring nine tenths of the gain, the third goes to a stronger model; a fourth only costs.
pub const TASK_TRIES_MAX: u32 = 3;
/// A task whose files others change again and again is not independent of them, whatever the plan says.
pub const CONFLICTS_MAX: u32 = 3;

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it is.
    pub status: TaskStatus,
    /// Tries that were rejected.
    pub attempt: u32,
    /// Why the last try was rejected.
    pub findings: Vec<Finding>,
    /// What the checks did last.
    pub results: Vec<CheckResult>,
    /// What the implementer said it did.
    pub summary: String,
    /// What the task left open and the implementer decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The files of the last try. A try that was rejected is what the next one mends.
    pub candidate: Option<String>,
    /// The accepted files that the last try began from.
    #[serde(default)]
    pub base: Option<String>,
    /// Tries of the current step.
    #[serde(default)]
    pub step_tries: u32,
    /// The files of the try that was rejected last.
    #[serde(default)]
    pub rejected: Option<String>,
    /// How often another task had changed the same files meanwhile.
    #[serde(default)]
    pub conflicts: u32,
    /// How often it was begun anew, by a change, a rollback or a retry.
    #[serde(default)]
    pub generation: u32,
    /// The class of model that works on it, whatever the agents ask for, if the user chose one.
    #[serde(default)]
    pub class: Option<String>,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// Not yet, or to be tried again.
    Waiting,
    /// Written, to be judged.
    Written,
    /// Good.
    Accepted,
    /// Given up.
    Failed(String),
    /// Not tried, because it needs a task that failed.
    Skipped,
}

impl Progress {
    /// Why the last try was rejected, in a line.
    fn complaint(&self) -> String {
        self.findings.first().map_or_else(String::new, |finding| finding.message.clone())
    }

    pub(super) fn new() -> Progress {
        Progress {
            status: TaskStatus::Waiting,
            attempt: 0,
            findings: Vec::new(),
            results: Vec::new(),
            summary: String::new(),
            assumptions: Vec::new(),
            candidate: None,
            base: None,
            rejected: None,
            step_tries: 0,
            conflicts: 0,
            generation: 0,
            class: None,
        }
    }

    /// Begun anew, with nothing of what was tried before.
    pub(super) fn anew(&self) -> Progress {
        Progress { generation: self.generation + 1, ..Progress::new() }
    }
}

impl State {
    /// Tasks to be written whose needs are met, and those to be judged.
    pub(super) fn ready(&self) -> Vec<Ready> {
        let tasks = self.plan.iter().flat_map(|plan| &plan.tasks).zip(&self.tasks);
        let ready = tasks.filter_map(|(task, progress)| {
            let (id, attempt) = (task.id.clone(), progress.attempt + 1);
            let step = match progress.status {
                TaskStatus::Written => Step::Verify { task: id, attempt },
                TaskStatus::Waiting if self.has_all(&task.depends_on) => Step::Implement { task: id, attempt },
                _ => return None,
            };
            let mut name = format!("{} {} {attempt}.{}", step.export(), task.id, progress.step_tries + 1);
            if progress.conflicts > 0 {
                name.push_str(&format!(".{}", progress.conflicts + 1));
            }
            if progress.generation > 0 {
                name.push_str(&format!(" (anew {})", progress.generation));
            }
            Some(Ready { step, name })
        });
        ready.collect()
    }

    /// What names a task's runs and their budget: a task that was begun anew has others.
    pub fn task_key(&self, task: &str) -> String {
        match self.progress(task) {
            Some(progress) if progress.generation > 0 => format!("{task} (anew {})", progress.generation),
            _ => task.to_owned(),
        }
    }

    fn has_all(&self, needed: &[String]) -> bool {
        needed.iter().all(|task| self.progress(task).is_some_and(|progress| progress.status == TaskStatus::Accepted))
    }

    /// The place of a task that is in this state.
    pub(super) fn position(&self, task: &str, status: &TaskStatus) -> Option<usize> {
        let position = self.plan.as_ref()?.tasks.iter().position(|entry| entry.id == task)?;
        (self.tasks.get(position)?.status == *status).then_some(position)
    }

    /// How this task stands.
    pub fn progress(&self, task: &str) -> Option<&Progress> {
        let plan = self.plan.as_ref()?;
        plan.tasks.iter().zip(&self.tasks).find(|(entry, _)| entry.id == task).map(|(_, progress)| progress)
    }

    /// The tasks accepted so far, in the plan's order.
    pub fn accepted(&self) -> Vec<AcceptedTask> {
        let tasks = self.plan.iter().flat_map(|plan| &plan.tasks).zip(&self.tasks);
        tasks
            .filter(|(_, progress)| progress.status == TaskStatus::Accepted)
            .map(|(task, progress)| AcceptedTask { id: task.id.clone(), title: task.title.clone(), summary: progress.summary.clone() })
            .collect()
    }

    /// Tasks that were given up or skipped.
    pub fn tasks_lost(&self) -> usize {
        self.tasks.iter().filter(|task| matches!(task.status, TaskStatus::Failed(_) | TaskStatus::Skipped)).count()
    }

    /// Puts the last results in place of those that each task was accepted with; returns how many failed.
    pub(super) fn take_final(&mut self, results: Vec<CheckResult>) -> usize {
        let failed = results.iter().filter(|result| result.status == CheckStatus::Failed).count();
        for known in self.tasks.iter_mut().flat_map(|task| &mut task.results) {
            if let Some(last) = results.iter().find(|last| last.check == known.check) {
                *known = last.clone();
            }
        }
        failed
    }

    /// Checks decide first: a verdict can lower what they showed, never raise it.
    pub(super) fn judge(
        &mut self,
        task: &str,
        tree: String,
        results: Vec<CheckResult>,
        verdict: Verdict,
        actions: &mut Vec<Action>,
    ) -> Option<()> {
        let position = self.position(task, &TaskStatus::Written)?;
        let mut findings: Vec<Finding> = results
            .iter()
            .filter(|result| result.status == CheckStatus::Failed)
            .map(|result| Finding {
                path: String::new(),
                line: 0,
                message: format!("check {} failed: {}", result.check, result.detail),
                requirement: Some(result.requirement.clone()),
            })
            .collect();
        if let Verdict::Rejected(more) = verdict {
            findings.extend(more);
            if findings.is_empty() {
                findings.push(Finding::general("it was rejected without a reason"));
            }
        }
        let progress = &mut self.tasks[position];
        progress.results = results;
        if !findings.is_empty() {
            self.reject(position, findings, actions);
            self.stop_if_stuck(position);
            return Some(());
        }
        progress.status = TaskStatus::Accepted;
        progress.findings.clear();
        (progress.candidate, progress.base, progress.step_tries) = (None, None, 0);
        let (summary, title) = (progress.summary.clone(), self.plan.as_ref()?.tasks[position].title.clone());
        actions.push(Action::Accept { task: task.to_owned(), title, summary, tree });
        Some(())
    }

    /// It is written again on the new files. That is nobody's mistake, so it is no try; but it is bounded.
    pub(super) fn conflicted(&mut self, task: &str, paths: &[String], actions: &mut Vec<Action>) -> Option<()> {
        let position = self.position(task, &TaskStatus::Written).or_else(|| self.position(task, &TaskStatus::Waiting))?;
        let why = format!("another task changed {} meanwhile; it is written again on the new files", paths.join(", "));
        let progress = &mut self.tasks[position];
        (progress.candidate, progress.base, progress.step_tries) = (None, None, 0);
        progress.conflicts += 1;
        progress.status = TaskStatus::Waiting;
        if progress.conflicts.is_multiple_of(CONFLICTS_MAX) {
            self.reject(position, vec![Finding::general(why)], actions);
        }
        Some(())
    }

    /// A step of a task ended without a result. Judging is repeated once; a try without files counts as a try.
    pub(super) fn step_failed(&mut self, task: &str, why: String, actions: &mut Vec<Action>) -> Option<()> {
        let position = self.position(task, &TaskStatus::Written).or_else(|| self.position(task, &TaskStatus::Waiting))?;
        let progress = &mut self.tasks[position];
        if progress.status == TaskStatus::Written && progress.step_tries + 1 < STEP_TRIES_MAX {
            progress.step_tries += 1;
        } else {
            self.reject(position, vec![Finding::general(why)], actions);
        }
        Some(())
    }

    fn reject(&mut self, position: usize, findings: Vec<Finding>, actions: &mut Vec<Action>) {
        let progress = &mut self.tasks[position];
        progress.step_tries = 0;
        progress.attempt += 1;
        progress.status = TaskStatus::Waiting;
        progress.findings = findings;
        let why = progress.complaint();
        if progress.attempt >= TASK_TRIES_MAX {
            self.lose(position, why, actions);
        }
    }

    /// A try that left the files as the one before did: the next would as well.
    fn stop_if_stuck(&mut self, position: usize) {
        let progress = &mut self.tasks[position];
        let changed_nothing = progress.candidate.is_some() && progress.candidate == progress.rejected;
        progress.rejected = progress.candidate.clone();
        let is_first = !matches!(self.phase, Phase::Paused(Pause::Stuck { .. }, _));
        let is_stuck = changed_nothing && is_first && progress.status == TaskStatus::Waiting;
        let Some(plan) = self.plan.as_ref().filter(|_| is_stuck) else { return };
        let why = progress.complaint();
        let pause = Pause::Stuck { task: plan.tasks[position].id.clone(), why };
        self.phase = Phase::Paused(pause, Box::new(Phase::Building));
    }

    /// The task is given up, and with it whatever needs it.
    pub(super) fn lose(&mut self, position: usize, why: String, actions: &mut Vec<Action>) {
        self.tasks[position].status = TaskStatus::Failed(why);
        if let Some(plan) = &self.plan {
            actions.push(Action::Refund { key: self.task_key(&plan.tasks[position].id) });
        }
        self.skip_dependants();
    }

    /// Whatever needs a lost task is lost as well. The plan's order makes one pass enough.
    fn skip_dependants(&mut self) {
        let Some(plan) = &self.plan else { return };
        for position in 0..plan.tasks.len() {
            let needs_lost = plan.tasks[position].depends_on.iter().any(|needed| {
                plan.tasks
                    .iter()
                    .zip(&self.tasks)
                    .any(|(task, progress)| &task.id == needed && matches!(progress.status, TaskStatus::Failed(_) | TaskStatus::Skipped))
            });
            if needs_lost && self.tasks[position].status == TaskStatus::Waiting {
                self.tasks[position].status = TaskStatus::Skipped;
            }
        }
    }
}
