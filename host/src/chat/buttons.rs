//! What buttons do. One whose time is over does nothing and says so.

use super::respond::{Expecting, Order, Outcome, Situation};
use super::{Action, Project, commands, shop};
use crate::chat::operate::Operation;
use crate::project::{Answer, Next, Pause, Phase};

pub(super) fn respond(situation: &Situation, action: &Action) -> Outcome {
    let texts = situation.texts;
    if let Action::Announce(text) = action {
        let announce = Order::Operate(Operation::Announce(text.clone()));
        return match situation.is_operator {
            true => Outcome { order: Some(announce), used: true, ..Outcome::default() },
            false => Outcome::toast(texts.plain("stale")),
        };
    }
    if let Some(outcome) = shop::pressed(situation, action) {
        return outcome;
    }
    if *action == Action::Nothing {
        return Outcome { used: true, ..Outcome::say(texts.say("going-on", &[])) };
    }
    match &situation.current {
        Some(project) => of_project(situation, project, action),
        None => Outcome::toast(texts.plain("stale")),
    }
}

fn of_project(situation: &Situation, project: &Project, action: &Action) -> Outcome {
    let texts = situation.texts;
    let state = &project.state;
    let asked = match state.next() {
        Next::Ask(question) => question.id,
        _ => String::new(),
    };
    // The buttons go, so the words say what was chosen.
    let answer = |words: String, answer| Outcome::order(words, Order::Answer(answer));
    let is_stuck = matches!(state.phase, Phase::Paused(Pause::Stuck { .. }, _));
    let (title, is_open) = (project.title(), !state.is_over());
    match action {
        Action::Choose { question, answer: chosen } if asked == *question => {
            answer(texts.say("answered-choice", &[("answer", chosen)]), Answer::Text(chosen.clone()))
        }
        Action::Skip(question) if asked == *question => answer(texts.say("answered-skip", &[]), Answer::Skipped),
        Action::Enough(question) if asked == *question => answer(texts.say("answered-enough", &[]), Answer::Enough),
        Action::Approve(ceiling) if state.next() == Next::Approve => {
            Outcome::order(texts.say("approved", &[("ceiling", &texts.cost(*ceiling))]), Order::Approve(*ceiling))
        }
        Action::Documents if state.phase == Phase::Delivered => commands::documents(texts, project),
        Action::Document(ceiling) if state.phase == Phase::Delivered => {
            Outcome::order(texts.say("approved", &[("ceiling", &texts.cost(*ceiling))]), Order::Document(*ceiling))
        }
        Action::Change if state.plan.is_some() && !matches!(state.phase, Phase::Cancelled) => {
            Outcome { expecting: Expecting::Change, ..Outcome::say(texts.say("ask-change", &[])) }
        }
        Action::Cancel if is_open => commands::ask_cancel(texts, project),
        Action::CancelSurely if is_open => Outcome { order: Some(Order::Cancel), used: true, ..Outcome::default() },
        Action::Retry if is_stuck || matches!(state.phase, Phase::Failed(_)) => {
            Outcome::order(texts.say("retried", &[("title", &title)]), Order::Retry)
        }
        Action::GiveUp if is_stuck => Outcome::order(texts.say("given-up", &[]), Order::GiveUp),
        Action::Open(_) => Outcome { say: vec![commands::opened(texts, project)], ..Outcome::default() },
        Action::SendAgain if state.is_over() && state.plan.is_some() => {
            Outcome { say: vec![commands::files(texts, project)], ..Outcome::default() }
        }
        _ => Outcome { used: true, ..Outcome::toast(texts.plain("stale")) },
    }
}
