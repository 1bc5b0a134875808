//! What commands do, whatever the state of things.

use super::respond::{Expecting, Order, Outcome, Situation, idea, no_credits, phase};
use super::texts::Texts;
use super::{Action, Button, Document, Message, Project, operate, shop, tell};
use crate::ledger::NanoUsd;
use crate::project::{Next, Pause, Phase};

/// Every command for everybody, in the order of the chat's menu. `command-NAME` of the texts says what it does.
pub const COMMANDS: &[&str] = &[
    "new",
    "status",
    "plan",
    "change",
    "document",
    "pause",
    "resume",
    "cancel",
    "retry",
    "budget",
    "history",
    "credits",
    "buy",
    "help",
    "paysupport",
    "terms",
    "privacy",
    "start",
];
/// Projects of one listing.
const LISTED_MAX: usize = 20;
/// Those of them that have a button.
const OPENED_MAX: usize = 8;
/// A button's words.
const LABEL_CHARS_MAX: usize = 40;

pub(super) fn respond(situation: &Situation, name: &str, rest: &str) -> Outcome {
    let texts = situation.texts;
    if let Some(outcome) = operate::respond(situation, name, rest).or_else(|| shop::respond(situation, name)) {
        return outcome;
    }
    match name {
        "start" => Outcome::say(texts.say("welcome", &[("credits", &texts.funds(situation.credits.0))])),
        "help" => Outcome::say(help(texts)),
        "privacy" => Outcome::say(texts.say("privacy", &[])),
        "new" if rest.is_empty() => Outcome { expecting: Expecting::Idea, ..Outcome::say(texts.say("ask-idea", &[])) },
        "new" => idea(situation, rest),
        "credits" => Outcome::say(credits(situation)),
        "history" if situation.listed.is_empty() => Outcome::say(texts.say("empty-project", &[])),
        "history" => history(situation),
        "status" | "plan" | "change" | "document" | "pause" | "resume" | "cancel" | "retry" | "budget" => match &situation.current {
            Some(project) => of_project(situation, project, name, rest),
            None => Outcome::say(texts.say("empty-project", &[])),
        },
        _ => Outcome::say(texts.say("unknown-command", &[("name", &name.chars().take(LABEL_CHARS_MAX).collect::<String>())])),
    }
}

fn of_project(situation: &Situation, project: &Project, name: &str, rest: &str) -> Outcome {
    let texts = situation.texts;
    let (title, phase) = (project.title(), phase(texts, project));
    let named = |key: &str| texts.say(key, &[("title", &title), ("phase", &phase)]);
    let is_over = project.state.is_over();
    match name {
        "status" => Outcome { say: standing(situation, project), ..Outcome::default() },
        "plan" => match tell::plan(texts, project, situation.owns) {
            Some(message) => Outcome { say: vec![message], ..Outcome::default() },
            None => Outcome::say(named("no-plan")),
        },
        _ if !situation.owns => Outcome::say(texts.say("foreign", &[])),
        "pause" if is_over => Outcome::say(named("is-over")),
        "pause" if matches!(project.state.phase, Phase::Paused(..)) => Outcome { say: tell::tell(texts, project), ..Outcome::default() },
        "pause" => Outcome::order(named("pausing"), Order::Pause),
        "resume" => match &project.state.phase {
            Phase::Paused(Pause::Credits, _) if situation.credits.0 <= situation.credits.1 => no_credits(situation),
            Phase::Paused(..) => Outcome::order(named("resumed"), Order::Resume),
            _ => Outcome::say(named("nothing-to-resume")),
        },
        "cancel" if is_over => Outcome::say(named("is-over")),
        "cancel" => ask_cancel(texts, project),
        "retry" => match &project.state.phase {
            Phase::Failed(_) | Phase::Paused(Pause::Stuck { .. }, _) => Outcome::order(named("retried"), Order::Retry),
            _ => Outcome::say(named("nothing-to-retry")),
        },
        "change" if project.state.plan.is_none() || matches!(project.state.phase, Phase::Cancelled) => {
            Outcome::say(named("nothing-to-change"))
        }
        "change" if rest.is_empty() => Outcome { expecting: Expecting::Change, ..Outcome::say(texts.say("ask-change", &[])) },
        "change" => Outcome::order(texts.say("change-begun", &[]), Order::Change(rest.to_owned())),
        "document" => documents(texts, project),
        "budget" if is_over => Outcome::say(named("is-over")),
        "budget" if rest.is_empty() => {
            let text = texts.say("ask-budget", &[("title", &title), ("spent", &texts.cost(project.charged))]);
            Outcome { expecting: Expecting::Budget, ..Outcome::say(text) }
        }
        _ => budget(situation, project, rest),
    }
}

/// How it stands; and once more what waits for whoever asks, if it is theirs.
fn standing(situation: &Situation, project: &Project) -> Vec<Message> {
    let texts = situation.texts;
    let mut say = vec![Message::text(tell::status(texts, project))];
    match project.state.next() {
        _ if !situation.owns || project.state.is_over() => {}
        Next::Approve => say[0].html.push_str(&texts.say("status-approve", &[])),
        _ => say.extend(tell::tell(texts, project)),
    }
    say
}

/// Another ceiling, if the words are one.
pub(super) fn budget(situation: &Situation, project: &Project, text: &str) -> Outcome {
    let texts = situation.texts;
    let word = text.split_whitespace().next().unwrap_or_default();
    match texts.read_amount(word) {
        // A plan is accepted by its button, with the price in sight.
        Some(_) if matches!(project.state.phase, Phase::Quoted) => Outcome::say(texts.say("budget-at-plan", &[])),
        Some(ceiling) if ceiling > project.charged => {
            Outcome::order(texts.say("budget-set", &[("ceiling", &texts.cost(ceiling))]), Order::Budget(ceiling))
        }
        Some(_) => Outcome::say(texts.say("budget-low", &[("spent", &texts.cost(project.charged))])),
        None => Outcome { expecting: Expecting::Budget, ..Outcome::say(texts.say("no-amount", &[])) },
    }
}

pub(super) fn ask_cancel(texts: Texts, project: &Project) -> Outcome {
    let button = |name: &str, action| Button { label: texts.plain(name), action };
    // Who cancels a change keeps the project.
    let (question, yes) = match project.state.revision.is_some() {
        true => ("ask-withdraw", "withdraw-sure"),
        // And so does who cancels the documents.
        false if project.state.is_documenting() => ("ask-cancel-documents", "cancel-sure"),
        false => ("ask-cancel", "cancel-sure"),
    };
    let message = Message::text(texts.say(question, &[("title", &project.title())]))
        .with([button(yes, Action::CancelSurely), button("cancel-not", Action::Nothing)]);
    Outcome { say: vec![message], ..Outcome::default() }
}

/// What the documents of a delivered project would cost, and whether to have them written.
pub(super) fn documents(texts: Texts, project: &Project) -> Outcome {
    let (title, phase) = (project.title(), phase(texts, project));
    match (&project.state.phase, &project.quote) {
        (Phase::Delivered, Some(quote)) => {
            let [expected, low, high] = [quote.expected, quote.low, quote.high].map(|amount| texts.estimate(amount));
            let [spent, ceiling] = [quote.spent, quote.ceiling].map(|amount| texts.cost(amount));
            let amounts =
                [("title", &title), ("expected", &expected), ("low", &low), ("high", &high), ("spent", &spent), ("ceiling", &ceiling)];
            let mut html = texts.say("ask-documents", &amounts.map(|(name, amount)| (name, amount.as_str())));
            if quote.measured_tasks == 0 {
                html.push_str(&texts.say("plan-guess", &[]));
            }
            let yes = Button { label: texts.say("approve", &[("ceiling", &ceiling)]), action: Action::Document(quote.ceiling) };
            Outcome { say: vec![Message::text(html).with([yes])], ..Outcome::default() }
        }
        (Phase::Delivered, None) => Outcome::say(texts.say("no-documenter", &[])),
        _ => Outcome::say(texts.say("no-documents", &[("title", &title), ("phase", &phase)])),
    }
}

fn help(texts: Texts) -> String {
    let lines: Vec<String> = COMMANDS
        .iter()
        .filter(|name| **name != "start" && **name != "help")
        .map(|name| texts.say("help-line", &[("name", name), ("text", &texts.plain(&format!("command-{name}")))]))
        .collect();
    texts.compose("help", &[("commands", &lines.join("\n"))])
}

fn credits(situation: &Situation) -> String {
    let texts = situation.texts;
    let (credits, held) = situation.credits;
    let mut text = texts.say("credits", &[("credits", &texts.funds(credits))]);
    if held > NanoUsd::ZERO {
        text.push_str(&texts.say("credits-held", &[("held", &texts.cost(held))]));
    }
    if let (Some(project), true) = (&situation.current, situation.owns) {
        let parts = [("title", project.title()), ("calls", project.calls.to_string()), ("bill", tell::bill(texts, project))];
        text.push_str(&texts.say("credits-project", &parts.each_ref().map(|(name, value)| (*name, value.as_str()))));
    }
    text
}

fn history(situation: &Situation) -> Outcome {
    let texts = situation.texts;
    let mut text = texts.say("history-head", &[]);
    for one in situation.listed.iter().take(LISTED_MAX) {
        let phase = texts.plain(&format!("phase-{}", one.phase));
        text.push('\n');
        let spent = texts.cost(one.spent);
        text.push_str(&texts.say("history-line", &[("title", &one.title), ("phase", &phase), ("spent", &spent)]));
    }
    let open = situation
        .listed
        .iter()
        .take(OPENED_MAX)
        .map(|one| Button { label: one.title.chars().take(LABEL_CHARS_MAX).collect(), action: Action::Open(one.id.clone()) });
    Outcome { say: vec![Message::text(text).with(open)], ..Outcome::default() }
}

/// A project that was chosen from the listing: how it stands, and its files if it has any.
pub(super) fn opened(texts: Texts, project: &Project) -> Message {
    let message = Message::text(tell::status(texts, project));
    let has_files = project.state.is_over() && project.state.plan.is_some();
    let again = Button { label: texts.plain("send-again"), action: Action::SendAgain };
    if has_files { message.with([again]) } else { message }
}

/// Its files once more.
pub(super) fn files(texts: Texts, project: &Project) -> Message {
    Message { documents: vec![Document::Zip], ..Message::text(texts.say("files-again", &[("title", &project.title())])) }
}
