//! What a user may still want after the plan is there: something else, an earlier state, another try. What is not touched by it is kept:
//! accepted tasks stay accepted, and a change that comes to nothing leaves the project as it was. All of it is part of
//! [`decide`](super::decide).

use super::nouns::{Brief, Check, CheckResult, CheckStatus, Finding, Plan, Requirement, SourceFile, Task};
use super::state::{Pause, Phase, State};
use super::tasks::{Progress, TaskStatus};
use crate::workspace::sha256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A change under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// What is wanted, in the user's words.
    pub request: String,
    /// The project before.
    pub before: Box<State>,
}

impl State {
    /// Whether there is anything that can be changed or gone back to: a plan, and nobody thinking about another one.
    pub(super) fn can_go_back(&self) -> bool {
        self.plan.is_some() && self.revision.is_none() && (self.is_over() || self.is_building()) && self.phase != Phase::Cancelled
    }

    /// The architect understands the change first: what is said of one requirement may concern the summary, and others.
    pub(super) fn begin_change(&mut self, request: String, requirement: Option<String>) -> Option<()> {
        if !self.can_go_back() && *self.phase.beneath() != Phase::Quoted {
            return None;
        }
        let request = match requirement {
            None => request,
            Some(id) => {
                let known = self.brief.iter().flat_map(|brief| &brief.requirements).find(|entry| entry.id == id)?;
                format!("In place of the requirement \"{}\": {}", known.text, request.trim())
            }
        };
        self.documents.failed = None;
        // What is wanted beside a change that waits for approval is part of it.
        let (before, request) = match self.revision.take() {
            None => (Box::new(self.clone()), request),
            Some(earlier) => (earlier.before, format!("{}\n\n{request}", earlier.request)),
        };
        self.brief.clone_from(&before.brief);
        self.plan.clone_from(&before.plan);
        self.tasks.clone_from(&before.tasks);
        self.void_files.clone_from(&before.void_files);
        self.round += 1;
        self.enter(Phase::Eliciting);
        self.revision = Some(Revision { request, before });
        Some(())
    }

    /// Leaves the project as it was before the change, if there is one. A project that was being built waits, so that nothing is spent
    /// unasked.
    pub(super) fn withdraw_change(&mut self) -> bool {
        let Some(revision) = self.revision.take() else { return false };
        let (round, ceiling, limit) = (self.round, self.ceiling, self.limit);
        *self = State { round, ceiling, limit, ..*revision.before };
        if matches!(self.phase, Phase::Building | Phase::Quoted) {
            self.phase = Phase::Paused(Pause::User, Box::new(self.phase.clone()));
        }
        true
    }

    /// A changed brief in which a requirement that says the same as before has the same id, and so has the one that was put in other
    /// words; no other has.
    pub(super) fn with_known_ids(&self, mut brief: Brief) -> Brief {
        let Some(before) = self.revision.as_ref().and_then(|revision| revision.before.brief.as_ref()) else { return brief };
        let mut left: Vec<&Requirement> = before.requirements.iter().collect();
        let mut new = Vec::new();
        for (at, entry) in brief.requirements.iter_mut().enumerate() {
            match left.iter().position(|known| known.text.trim() == entry.text.trim()) {
                Some(position) => entry.id.clone_from(&left.remove(position).id),
                None => new.push(at),
            }
        }
        // One gone and one come in its place is one reworded. With more of them nobody can say which is which.
        if let ([gone], [at, ..]) = (left.as_slice(), new.as_slice())
            && before.requirements.iter().position(|entry| entry.id == gone.id) == Some(*at)
        {
            brief.requirements[*at].id.clone_from(&gone.id);
            new.remove(0);
        }
        let numbers = before.requirements.iter().filter_map(|entry| entry.id.trim_start_matches('R').parse::<usize>().ok());
        let last = numbers.max().unwrap_or(0);
        for (more, at) in new.into_iter().enumerate() {
            brief.requirements[at].id = format!("R{}", last + more + 1);
        }
        brief
    }

    /// The whole plan, of which a change's plan is only what is to be done because of it.
    pub fn whole_plan(&self, plan: Plan) -> Plan {
        let Some((before, brief)) =
            self.revision.as_ref().and_then(|revision| Some((revision.before.plan.as_ref()?, self.brief.as_ref()?)))
        else {
            return plan;
        };
        let stands = |requirement: &str| {
            let text = |brief: &Brief| brief.requirements.iter().find(|entry| entry.id == requirement).map(|entry| entry.text.clone());
            let known = self.revision.as_ref().and_then(|revision| text(revision.before.brief.as_ref()?));
            known.is_some() && known == text(brief)
        };
        let kept = |task: &Task| {
            let acceptance = task.acceptance.iter().filter(|entry| stands(&entry.requirement)).cloned().collect();
            Task { acceptance, ..task.clone() }
        };
        let mut tasks: Vec<Task> = before.tasks.iter().map(|task| plan.task(&task.id).cloned().unwrap_or_else(|| kept(task))).collect();
        tasks.extend(plan.tasks.iter().filter(|task| before.task(&task.id).is_none()).cloned());
        // A test file that was written anew holds for every check that runs it.
        let tests: BTreeMap<&str, &SourceFile> = plan.check_files().map(|file| (file.path.as_str(), file)).collect();
        for check in tasks.iter_mut().flat_map(|task| &mut task.acceptance) {
            if let Check::UnitTest(file) = &mut check.check
                && let Some(last) = tests.get(file.path.as_str())
            {
                file.text.clone_from(&last.text);
            }
        }
        Plan { tasks: in_order(tasks), run_command: plan.run_command.clone(), design: plan.design.clone() }
    }

    /// A plan that the host found sound. Where it changes another, tasks that it names are done anew, and those that need them.
    pub(super) fn take_plan(&mut self, plan: Plan) {
        let whole = self.whole_plan(plan.clone());
        let mut again: BTreeSet<&str> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
        for task in &whole.tasks {
            if task.depends_on.iter().any(|needed| again.contains(needed.as_str()) && self.progress(needed).is_some()) {
                again.insert(&task.id);
            }
        }
        // What could not be done is part of what is approved now.
        let is_lost = |progress: &Progress| matches!(progress.status, TaskStatus::Failed(_) | TaskStatus::Skipped);
        self.tasks = whole
            .tasks
            .iter()
            .map(|task| match self.progress(&task.id) {
                Some(progress) if again.contains(task.id.as_str()) || is_lost(progress) => progress.anew(),
                Some(progress) => {
                    let stands = |result: &&CheckResult| task.acceptance.iter().any(|entry| entry.id == result.check);
                    Progress { results: progress.results.iter().filter(stands).cloned().collect(), ..progress.clone() }
                }
                None => Progress::new(),
            })
            .collect();
        let files =
            |plan: &Plan| plan.check_files().map(|file| (file.path.clone(), sha256(file.text.as_bytes()))).collect::<BTreeMap<_, _>>();
        let wanted = files(&whole);
        self.void_files.extend(self.plan.iter().flat_map(files));
        self.void_files.retain(|path, _| !wanted.contains_key(path));
        self.plan = Some(whole);
    }

    /// What could not be done is begun anew; where the finished whole failed a check, the tasks that it belongs to are.
    pub(super) fn try_again(&mut self, class: Option<&str>) {
        let stuck = match &self.phase {
            Phase::Paused(Pause::Stuck { task, .. }, _) => Some(task.clone()),
            _ => None,
        };
        let Some(plan) = &self.plan else {
            self.class = class.map(str::to_owned);
            self.round += 1;
            let phase = if self.brief.is_none() { Phase::Eliciting } else { Phase::Planning };
            return self.enter(phase);
        };
        for (task, progress) in plan.tasks.iter().zip(&mut self.tasks) {
            let broken: Vec<Finding> = progress.results.iter().filter_map(broken_check).collect();
            let is_lost = matches!(progress.status, TaskStatus::Failed(_) | TaskStatus::Skipped);
            if is_lost || stuck.as_deref() == Some(&task.id) || (progress.status == TaskStatus::Accepted && !broken.is_empty()) {
                let findings = if progress.findings.is_empty() { broken } else { progress.findings.clone() };
                // What was written so far is what the next try mends.
                let (candidate, base) = (progress.candidate.clone(), progress.base.clone());
                *progress = Progress { findings, candidate, base, class: class.map(str::to_owned), ..progress.anew() };
            }
        }
        self.enter(Phase::Building);
    }

    /// Everything but what stays accepted is begun anew, once the user says so.
    pub(super) fn roll_back(&mut self, undone: &[String]) {
        let Some(plan) = &self.plan else { return };
        for (task, progress) in plan.tasks.iter().zip(&mut self.tasks) {
            if progress.status != TaskStatus::Accepted || undone.contains(&task.id) {
                *progress = progress.anew();
            }
        }
        self.phase = Phase::Paused(Pause::User, Box::new(Phase::Building));
        self.question = None;
    }
}

/// Each after those that it needs, else as they were. What needs itself stays where it is, for the plan's own check to find.
fn in_order(mut left: Vec<Task>) -> Vec<Task> {
    let mut done: Vec<Task> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |task: &Task| task.depends_on.iter().any(|needed| left.iter().any(|other| other.id == *needed));
        let next = left.iter().position(|task| !waits(task)).unwrap_or(0);
        done.push(left.remove(next));
    }
    done
}

fn broken_check(result: &CheckResult) -> Option<Finding> {
    (result.status == CheckStatus::Failed).then(|| Finding {
        path: String::new(),
        line: 0,
        message: format!("check {} failed: {}", result.check, result.detail),
        requirement: Some(result.requirement.clone()),
    })
}
