//! The state machine. [`decide`] takes a state and an event and returns the next state with the actions that must be
//! committed together with it; [`State::next`] says what is to be done, so that a host that starts again needs nothing but the
//! stored state to go on.

use super::changes::Revision;
use super::documents::{DOCUMENTS, Documents};
use super::nouns::{Answer, Brief, CheckResult, HandedOver, Plan, Question, Verdict, Work};
use super::tasks::{Progress, TaskStatus};
use crate::ledger::NanoUsd;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Understanding and planning either work at once or the idea needs a person.
pub const STEP_TRIES_MAX: u32 = 2;

/// Where a project is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The architect finds out what is wanted.
    Eliciting,
    /// The architect cuts it into tasks.
    Planning,
    /// The user sees plan and price.
    Quoted,
    /// The implementer works, task by task.
    Building,
    /// The user has it.
    Delivered,
    /// The user has it, and the documenter writes its documents.
    Documenting,
    /// It could not be done, or not all of it.
    Failed(String),
    /// The user stopped it.
    Cancelled,
    /// It waits, and goes on where it was.
    Paused(Pause, Box<Phase>),
}

impl Phase {
    /// The phase itself, or the one that it goes on in where it waits.
    pub fn beneath(&self) -> &Phase {
        match self {
            Phase::Paused(_, before) => before,
            phase => phase,
        }
    }

    /// One word, for listings.
    pub fn word(&self) -> &'static str {
        match self {
            Phase::Eliciting => "eliciting",
            Phase::Planning => "planning",
            Phase::Quoted => "quoted",
            Phase::Building => "building",
            Phase::Delivered => "delivered",
            Phase::Documenting => "documenting",
            Phase::Failed(_) => "failed",
            Phase::Cancelled => "cancelled",
            Phase::Paused(..) => "paused",
        }
    }
}

/// Why a project waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pause {
    /// The wallet is empty.
    Credits,
    /// The ceiling is reached.
    Ceiling,
    /// The model server does not answer; the text says what was tried.
    Provider(String),
    /// The user asked for it.
    User,
    /// Something that an operator has to mend.
    Operator(String),
    /// A task makes no progress; another try would only cost.
    Stuck {
        /// Which task.
        task: String,
        /// What is wrong with it, try after try.
        why: String,
    },
}

impl fmt::Display for Pause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pause::Credits => write!(out, "the wallet is empty"),
            Pause::Ceiling => write!(out, "the ceiling does not cover the next step"),
            Pause::Provider(why) => write!(out, "the model server did not answer: {why}"),
            Pause::User => write!(out, "paused by the user"),
            Pause::Operator(why) => write!(out, "an operator has to look: {why}"),
            Pause::Stuck { task, why } => write!(out, "task {task} makes no progress, its last try changed nothing: {why}"),
        }
    }
}

/// A project, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Where it is.
    pub phase: Phase,
    /// What the user sent.
    pub idea: String,
    /// What was understood.
    pub brief: Option<Brief>,
    /// What is to be done.
    pub plan: Option<Plan>,
    /// One for each task of the plan, in its order.
    pub tasks: Vec<Progress>,
    /// A question that waits for the user.
    pub question: Option<Question>,
    /// What the user accepted to spend at most.
    pub ceiling: Option<NanoUsd>,
    /// A ceiling that the user named before there was a plan. It binds from then on, and is what the plan is approved under.
    #[serde(default)]
    pub limit: Option<NanoUsd>,
    /// Tries of the current step, for the steps that belong to no task.
    pub step_tries: u32,
    /// A change that is being understood, planned or approved.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// Counts how often understanding and planning began anew, so that a step of one time is not taken for one of another.
    #[serde(default)]
    pub round: u32,
    /// The class of model that understanding and planning use, whatever they ask for, if the user chose one.
    #[serde(default)]
    pub class: Option<String>,
    /// Test files of checks that a change made void, by path, with the digest of their text.
    #[serde(default)]
    pub void_files: BTreeMap<String, String>,
    /// What became of the wish for documents.
    #[serde(default, skip_serializing_if = "Documents::is_none")]
    pub documents: Documents,
    /// What it began from, unless that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<HandedOver>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The brief is there.
    Elicited(Brief),
    /// The agent asks; its run is suspended.
    Asked(Question),
    /// The user answered.
    Answered(Answer),
    /// The plan is there and sound.
    Planned(Plan),
    /// The user accepts plan and ceiling.
    Approved(NanoUsd),
    /// A try is written.
    Implemented {
        /// Of which task.
        task: String,
        /// The accepted files that it began from.
        base: String,
        /// Its files.
        tree: String,
        /// What the implementer says it did.
        work: Work,
    },
    /// The try was judged.
    Verified {
        /// Of which task.
        task: String,
        /// The files that were judged: the try together with what was accepted meanwhile.
        tree: String,
        /// What the checks did.
        results: Vec<CheckResult>,
        /// What the architect says.
        verdict: Verdict,
    },
    /// Another task changed the same files while this one was written.
    Conflicted {
        /// The task that has to be written again.
        task: String,
        /// The files that both changed.
        paths: Vec<String>,
    },
    /// The step ended without a result.
    StepFailed {
        /// Of which task, if it belongs to one.
        task: Option<String>,
        /// Why.
        why: String,
    },
    /// It can't go on for now.
    Paused(Pause),
    /// It can.
    Resumed,
    /// The user gives the task up that is stuck.
    GivenUp,
    /// The user wants what could not be done tried again, by this class of model where one is named.
    Retried(Option<String>),
    /// The user wants something else than was asked for.
    ChangeAsked {
        /// In the user's words.
        request: String,
        /// The requirement that these words replace; none if they are about the whole.
        requirement: Option<String>,
    },
    /// The user wants the project as it was when this task was accepted.
    RolledBack {
        /// The last task that stays.
        task: String,
        /// The tasks that were accepted after it.
        undone: Vec<String>,
    },
    /// The user stops it.
    Cancelled,
    /// Every task has come to its end, and this is what the checks did on the whole.
    Delivered(Vec<CheckResult>),
    /// The user wants the documents written, and to spend no more on the project than this.
    DocumentsAsked(NanoUsd),
    /// The documents are written.
    Documented {
        /// The project's files with them.
        tree: String,
        /// What the documenter says it did.
        summary: String,
        /// Which files of them are documents.
        paths: BTreeSet<String>,
    },
}

/// What must be committed together with the new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bind the project's budget to this ceiling.
    SetCeiling(NanoUsd),
    /// The task's files become the project's.
    Accept {
        /// Which task.
        task: String,
        /// Its title.
        title: String,
        /// What was done.
        summary: String,
        /// Its files.
        tree: String,
    },
    /// Give back what the task's runs were charged.
    Refund {
        /// The key of its runs.
        key: String,
    },
    /// End what was begun of these steps, because it is done anew.
    EndRuns {
        /// Their names.
        steps: Vec<String>,
    },
    /// Forget what was accepted after this task.
    RollBack {
        /// The last task that stays.
        task: String,
    },
}

/// An event that makes no sense in this state; it changes nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a project that is {phase} has no use for this: {event}")]
pub struct Unexpected {
    phase: &'static str,
    event: String,
}

impl State {
    /// A project that was just begun.
    pub fn new(idea: impl Into<String>) -> State {
        State {
            phase: Phase::Eliciting,
            idea: idea.into(),
            brief: None,
            plan: None,
            tasks: Vec::new(),
            question: None,
            ceiling: None,
            limit: None,
            step_tries: 0,
            revision: None,
            round: 0,
            class: None,
            void_files: BTreeMap::new(),
            documents: Documents::default(),
            handed_over: None,
        }
    }
}

/// What this event makes of this state.
pub fn decide(state: &State, event: Event) -> Result<(State, Vec<Action>), Unexpected> {
    let mut new = state.clone();
    let mut actions = Vec::new();
    let begins_anew = matches!(event, Event::Planned(_) | Event::RolledBack { .. } | Event::Retried(_) | Event::Cancelled);
    match (&state.phase, event) {
        (Phase::Eliciting, Event::Elicited(brief)) => {
            new.brief = Some(state.with_known_ids(brief));
            new.enter(Phase::Planning);
        }
        (Phase::Eliciting | Phase::Planning, Event::Asked(question)) => new.question = Some(question),
        (Phase::Eliciting | Phase::Planning, Event::Answered(_)) if state.question.is_some() => new.question = None,
        (Phase::Planning, Event::Planned(plan)) => {
            new.take_plan(plan);
            new.enter(Phase::Quoted);
        }
        (Phase::Quoted, Event::Approved(ceiling)) => {
            new.ceiling = Some(ceiling);
            // It was named for this plan, not for one that a change brings.
            (new.limit, new.revision) = (None, None);
            actions.push(Action::SetCeiling(ceiling));
            new.enter(Phase::Building);
        }
        (Phase::Building | Phase::Documenting | Phase::Paused(..), Event::Approved(ceiling)) if state.ceiling.is_some() => {
            new.ceiling = Some(ceiling);
            actions.push(Action::SetCeiling(ceiling));
        }
        (Phase::Eliciting | Phase::Planning | Phase::Paused(..), Event::Approved(ceiling)) => {
            new.limit = Some(ceiling);
            actions.push(Action::SetCeiling(ceiling));
        }
        (_, Event::Implemented { task, base, tree, work }) if state.is_building() => {
            let position = new.position(&task, &TaskStatus::Waiting).ok_or_else(|| unexpected(state, "implemented"))?;
            let progress = &mut new.tasks[position];
            progress.status = TaskStatus::Written;
            progress.candidate = Some(tree);
            progress.base = Some(base);
            (progress.summary, progress.assumptions) = (work.summary, work.assumptions);
            progress.step_tries = 0;
        }
        (_, Event::Verified { task, tree, results, verdict }) if state.is_building() => {
            new.judge(&task, tree, results, verdict, &mut actions).ok_or_else(|| unexpected(state, "verified"))?;
        }
        (_, Event::Conflicted { task, paths }) if state.is_building() => {
            new.conflicted(&task, &paths, &mut actions).ok_or_else(|| unexpected(state, "conflicted"))?;
        }
        (_, Event::StepFailed { task: Some(task), why }) if state.is_building() => {
            new.step_failed(&task, why, &mut actions).ok_or_else(|| unexpected(state, "step failed"))?;
        }
        (Phase::Eliciting | Phase::Planning, Event::StepFailed { why, .. }) => {
            new.step_tries += 1;
            new.question = None;
            if new.step_tries >= STEP_TRIES_MAX && !new.withdraw_change() {
                new.enter(Phase::Failed(why));
            }
        }
        (Phase::Building, Event::Delivered(results)) => {
            let broken = new.take_final(results);
            // That was said of an earlier delivery.
            new.documents.failed = None;
            let lost = state.tasks_lost();
            let mut why = Vec::new();
            if lost > 0 {
                why.push(format!("{lost} of {} tasks could not be done", state.tasks.len()));
            }
            if broken > 0 {
                why.push(format!("{broken} checks fail on the finished whole"));
            }
            new.enter(match why.is_empty() {
                true => Phase::Delivered,
                false => Phase::Failed(format!("{}; what works was delivered", why.join(" and "))),
            });
        }
        (Phase::Delivered, Event::DocumentsAsked(ceiling)) => new.begin_documents(ceiling, &mut actions),
        (Phase::Documenting, Event::Documented { tree, summary, paths }) => new.take_documents(tree, summary, paths, &mut actions),
        (Phase::Documenting, Event::StepFailed { why, .. }) => new.documents_failed(why, &mut actions),
        (Phase::Paused(Pause::Stuck { task, why }, before), Event::GivenUp) => {
            new.phase = (**before).clone();
            let position = new.position(task, &TaskStatus::Waiting).ok_or_else(|| unexpected(state, "given up"))?;
            new.lose(position, why.clone(), &mut actions);
        }
        (Phase::Paused(_, before), Event::Resumed) => new.phase = (**before).clone(),
        (Phase::Failed(_) | Phase::Paused(Pause::Stuck { .. }, _), Event::Retried(class)) => new.try_again(class.as_deref()),
        (_, Event::ChangeAsked { request, requirement }) => {
            new.begin_change(request, requirement).ok_or_else(|| unexpected(state, "a change"))?;
        }
        (_, Event::RolledBack { task, undone }) if state.can_go_back() => {
            new.roll_back(&undone);
            if task != DOCUMENTS && undone.iter().any(|task| task == DOCUMENTS) {
                new.documents = Documents::default();
            }
            actions.push(Action::RollBack { task });
        }
        (Phase::Delivered | Phase::Failed(_) | Phase::Cancelled, event) => return Err(unexpected(state, &format!("{event:?}"))),
        // Who cancels a change keeps the project, and so does who cancels the documents.
        (_, Event::Cancelled) if new.withdraw_change() || new.withdraw_documents() => {}
        (_, Event::Cancelled) => {
            new.question = None;
            new.phase = Phase::Cancelled;
        }
        // It is for the user to choose; what another task waits for shows itself again.
        (Phase::Paused(Pause::Stuck { .. }, _), Event::Paused(_)) => {}
        (Phase::Paused(_, before), Event::Paused(pause)) => new.phase = Phase::Paused(pause, before.clone()),
        (phase, Event::Paused(pause)) => new.phase = Phase::Paused(pause, Box::new(phase.clone())),
        (_, event) => return Err(unexpected(state, &format!("{event:?}"))),
    }
    if begins_anew {
        let is_other = |task: &str| {
            let of = |state: &State| state.plan.as_ref().and_then(|plan| plan.task(task)).cloned();
            of(state) != of(&new)
        };
        let asked = State { question: None, ..state.clone() };
        let of_the_whole = asked.counting_steps().into_iter().filter(|step| !new.may_return(step));
        let gone = state.ready().into_iter().filter(|ready| !new.may_return(&ready.name) || ready.step.task().is_some_and(is_other));
        let steps: BTreeSet<String> = gone.map(|ready| ready.name).chain(of_the_whole).collect();
        actions.push(Action::EndRuns { steps: steps.into_iter().collect() });
    }
    Ok((new, actions))
}

impl State {
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.step_tries = 0;
        self.question = None;
    }
}

fn unexpected(state: &State, event: &str) -> Unexpected {
    Unexpected { phase: state.phase.word(), event: event.chars().take(80).collect() }
}
