//! What can be done of a project as it is: the steps, their names, and whether a result still counts. It follows from the state alone, so a
//! host that starts again needs nothing else.

use super::nouns::Question;
use super::state::{Phase, State};
use serde::{Deserialize, Serialize};

/// One call of one plugin export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// `architect.elicit`
    Elicit,
    /// `architect.make-plan`
    MakePlan,
    /// `implementer.implement`
    Implement {
        /// Which task.
        task: String,
        /// Which try.
        attempt: u32,
    },
    /// `architect.verify`
    Verify {
        /// Which task.
        task: String,
        /// Which try.
        attempt: u32,
    },
    /// `documenter.document`
    Document,
}

impl Step {
    /// The export it calls.
    pub fn export(&self) -> &'static str {
        match self {
            Step::Elicit => "elicit",
            Step::MakePlan => "make-plan",
            Step::Implement { .. } => "implement",
            Step::Verify { .. } => "verify",
            Step::Document => "document",
        }
    }

    /// The plugin's role.
    pub fn world(&self) -> &'static str {
        match self {
            Step::Implement { .. } => "implementer",
            Step::Document => "documenter",
            Step::Elicit | Step::MakePlan | Step::Verify { .. } => "architect",
        }
    }

    /// The task it works on.
    pub fn task(&self) -> Option<&str> {
        match self {
            Step::Implement { task, .. } | Step::Verify { task, .. } => Some(task),
            _ => None,
        }
    }
}

/// A step that waits for nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What is to be called.
    pub step: Step,
    /// Names it uniquely within the project.
    pub name: String,
}

/// The name of the step that checks and hands over the whole.
pub const DELIVER: &str = "deliver";

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run these steps, which do not wait for each other, in the plan's order.
    Run(Vec<Ready>),
    /// Wait for the user's answer.
    Ask(Question),
    /// Wait for the user's approval.
    Approve,
    /// Write the result out.
    Deliver,
    /// Nothing: it is over, or it waits to be resumed.
    Stop,
}

impl State {
    /// What is to be done now.
    pub fn next(&self) -> Next {
        if let Some(question) = &self.question
            && matches!(self.phase, Phase::Eliciting | Phase::Planning)
        {
            return Next::Ask(question.clone());
        }
        match &self.phase {
            Phase::Eliciting => Next::Run(vec![self.of_the_whole(Step::Elicit)]),
            Phase::Planning => Next::Run(vec![self.of_the_whole(Step::MakePlan)]),
            Phase::Documenting => Next::Run(vec![self.of_the_whole(Step::Document)]),
            Phase::Quoted => Next::Approve,
            Phase::Building => match self.ready() {
                none if none.is_empty() => Next::Deliver,
                ready => Next::Run(ready),
            },
            Phase::Delivered | Phase::Failed(_) | Phase::Cancelled | Phase::Paused(..) => Next::Stop,
        }
    }

    /// The names of the steps that can be taken now.
    pub fn steps(&self) -> Vec<String> {
        match self.next() {
            Next::Run(ready) => ready.into_iter().map(|ready| ready.name).collect(),
            Next::Deliver => vec![DELIVER.to_owned()],
            Next::Ask(_) | Next::Approve | Next::Stop => Vec::new(),
        }
    }

    /// The names of the steps whose result still counts: those that can be taken, or could if the project did not wait.
    pub fn counting_steps(&self) -> Vec<String> {
        match &self.phase {
            Phase::Paused(_, before) => State { phase: (**before).clone(), ..self.clone() }.steps(),
            _ => self.steps(),
        }
    }

    /// Whether a step that is not wanted now may be wanted once more, so that its run is worth keeping.
    pub fn may_return(&self, step: &str) -> bool {
        let asked = State { question: None, ..self.clone() };
        !self.is_over() && (asked.counting_steps().iter().any(|name| name == step) || self.ready().iter().any(|ready| ready.name == step))
    }

    fn of_the_whole(&self, step: Step) -> Ready {
        let mut name = format!("{} {}", step.export(), self.step_tries + 1);
        if self.round > 0 {
            name.push_str(&format!(" (round {})", self.round + 1));
        }
        Ready { step, name }
    }

    /// The class of model that the user chose for this step.
    pub fn class_of(&self, step: &Step) -> Option<String> {
        match step.task() {
            Some(task) => self.progress(task)?.class.clone(),
            None => self.class.clone(),
        }
    }

    /// Whether tasks are written and judged, or would be if the project did not wait.
    pub(super) fn is_building(&self) -> bool {
        *self.phase.beneath() == Phase::Building
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Delivered | Phase::Failed(_) | Phase::Cancelled)
    }
}
