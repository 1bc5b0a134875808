//! An answer to a person: what to say at once, what to order, and what the next text is taken for.

use super::texts::Texts;
use super::{Action, Button, Message, Project};
use crate::ledger::NanoUsd;
use crate::orchestrator::control::IDEA_BYTES_MAX;
use crate::project::{Answer, Next, Pause, Phase, TaskStatus};
use serde::{Deserialize, Serialize};

/// Projects of one listing.
const LISTED_MAX: usize = 20;

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A command, without its slash, and what follows it.
    Command(String, String),
    /// Words.
    Text(String),
    /// A button.
    Pressed(Action),
    /// A button that is not there any more, or of somebody else's project.
    PressedStale {
        /// It was somebody else's.
        foreign: bool,
    },
    /// Something that is no text: a sticker, a voice.
    Other,
}

/// What the next text of a chat is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expecting {
    /// An idea, or an answer where a question is open.
    #[default]
    Anything,
    /// What is to be different.
    Change,
    /// An amount.
    Budget,
}

/// How things stand.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The person's words.
    pub texts: Texts,
    /// The person's number.
    pub person: i64,
    /// Whether this person may use the bot.
    pub allowed: bool,
    /// What the person has, and how much of it is held.
    pub credits: (NanoUsd, NanoUsd),
    /// What is spent at most before a price is shown.
    pub limit: NanoUsd,
    /// The project that the chat speaks of.
    pub current: Option<Project>,
    /// All projects of the person, newest first: title, phase's word, spent.
    pub listed: Vec<(String, String, NanoUsd)>,
    /// What the next text is taken for.
    pub expecting: Expecting,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin a project.
    Begin(String),
    /// Answer its question.
    Answer(Answer),
    /// Accept its plan.
    Approve(NanoUsd),
    /// Set another ceiling and go on.
    Budget(NanoUsd),
    /// Ask for something else.
    Change(String),
    /// Let it wait.
    Pause,
    /// Let it go on.
    Resume,
    /// Stop it.
    Cancel,
    /// Try again what failed.
    Retry,
    /// Give the stuck task up.
    GiveUp,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is said.
    pub say: Vec<Message>,
    /// What is ordered, of the current project unless it begins one.
    pub order: Option<Order>,
    /// What the next text is taken for.
    pub expecting: Expecting,
}

impl Outcome {
    fn say(html: String) -> Outcome {
        Outcome { say: vec![Message::text(html)], ..Outcome::default() }
    }

    fn order(html: String, order: Order) -> Outcome {
        Outcome { order: Some(order), ..Outcome::say(html) }
    }
}

/// Answers.
pub fn respond(situation: &Situation, heard: &Heard) -> Outcome {
    let texts = situation.texts;
    if !situation.allowed {
        return Outcome::say(texts.say("not-allowed", &[("id", &situation.person.to_string())]));
    }
    match heard {
        Heard::Command(name, rest) => command(situation, name, rest.trim()),
        Heard::Text(text) => text_of(situation, text.trim()),
        Heard::Pressed(action) => pressed(situation, action),
        Heard::PressedStale { foreign } => Outcome::say(texts.say(if *foreign { "foreign" } else { "stale" }, &[])),
        Heard::Other => Outcome::say(texts.say("not-understood", &[])),
    }
}

fn command(situation: &Situation, name: &str, rest: &str) -> Outcome {
    let texts = situation.texts;
    let credits = situation.credits.0.to_string();
    match name {
        "start" => Outcome::say(texts.say("welcome", &[("credits", plain(&credits))])),
        "help" => Outcome::say(texts.say("help", &[])),
        "new" if rest.is_empty() => Outcome::say(texts.say("ask-idea", &[])),
        "new" => idea(situation, rest),
        "credits" => {
            let held = situation.credits.1.to_string();
            Outcome::say(texts.say("credits", &[("credits", plain(&credits)), ("held", plain(&held))]))
        }
        "history" if situation.listed.is_empty() => Outcome::say(texts.say("empty-project", &[])),
        "history" => Outcome::say(history(situation)),
        _ => match &situation.current {
            Some(project) => of_project(situation, project, name, rest),
            None => Outcome::say(texts.say("empty-project", &[])),
        },
    }
}

fn of_project(situation: &Situation, project: &Project, name: &str, rest: &str) -> Outcome {
    let texts = situation.texts;
    let (title, phase) = (project.title(), phase(texts, project));
    let named = |key: &str| texts.say(key, &[("title", &title), ("phase", &phase)]);
    let is_over = project.state.is_over();
    match name {
        "status" => Outcome::say(super::tell::status(texts, project)),
        "plan" => match super::tell::plan(texts, project) {
            Some(message) => Outcome { say: vec![message], ..Outcome::default() },
            None => Outcome::say(named("status-line")),
        },
        "pause" if is_over || matches!(project.state.phase, Phase::Paused(..)) => Outcome::say(named("nothing-to-resume")),
        "pause" => Outcome::order(named("pausing"), Order::Pause),
        "resume" => match &project.state.phase {
            Phase::Paused(..) => Outcome::order(named("resumed"), Order::Resume),
            _ => Outcome::say(named("nothing-to-resume")),
        },
        "cancel" if is_over => Outcome::say(named("nothing-to-cancel")),
        "cancel" => ask_cancel(texts, &title),
        "retry" => match &project.state.phase {
            Phase::Failed(_) | Phase::Paused(Pause::Stuck { .. }, _) => Outcome::order(named("retried"), Order::Retry),
            _ => Outcome::say(named("nothing-to-retry")),
        },
        "change" if project.state.plan.is_none() => Outcome::say(named("nothing-to-resume")),
        "change" if rest.is_empty() => Outcome { expecting: Expecting::Change, ..Outcome::say(texts.say("ask-change", &[])) },
        "change" => Outcome::order(texts.say("change-begun", &[]), Order::Change(rest.to_owned())),
        "budget" if rest.is_empty() => {
            let spent = project.charged.to_string();
            let text = texts.say("ask-budget", &[("title", &title), ("spent", plain(&spent))]);
            Outcome { expecting: Expecting::Budget, ..Outcome::say(text) }
        }
        "budget" => budget(situation, project, rest),
        _ => Outcome::say(texts.say("help", &[])),
    }
}

fn text_of(situation: &Situation, text: &str) -> Outcome {
    let texts = situation.texts;
    if text.is_empty() {
        return Outcome::say(texts.say("not-understood", &[]));
    }
    let Some(project) = &situation.current else { return idea(situation, text) };
    match situation.expecting {
        Expecting::Change => return Outcome::order(texts.say("change-begun", &[]), Order::Change(text.to_owned())),
        Expecting::Budget => return budget(situation, project, text),
        Expecting::Anything => {}
    }
    match project.state.next() {
        Next::Ask(_) => Outcome::order(texts.say("answered", &[]), Order::Answer(Answer::Text(text.to_owned()))),
        // Words about a plan that waits, or about a finished project, are what is to be different.
        Next::Approve => Outcome::order(texts.say("change-begun", &[]), Order::Change(text.to_owned())),
        Next::Stop if matches!(project.state.phase, Phase::Delivered) => {
            Outcome::order(texts.say("change-begun", &[]), Order::Change(text.to_owned()))
        }
        Next::Stop if project.state.is_over() => idea(situation, text),
        Next::Stop | Next::Run(_) | Next::Deliver => Outcome::say(texts.say("busy", &[("title", &project.title())])),
    }
}

fn pressed(situation: &Situation, action: &Action) -> Outcome {
    let texts = situation.texts;
    let Some(project) = &situation.current else { return Outcome::say(texts.say("stale", &[])) };
    let open = match project.state.next() {
        Next::Ask(question) => Some(question.id),
        _ => None,
    };
    let title = project.title();
    match action {
        Action::Choose { question, answer } if open.as_deref() == Some(question) => {
            Outcome::order(texts.say("answered", &[]), Order::Answer(Answer::Text(answer.clone())))
        }
        Action::Skip(question) if open.as_deref() == Some(question) => {
            Outcome::order(texts.say("answered", &[]), Order::Answer(Answer::Skipped))
        }
        Action::Enough(question) if open.as_deref() == Some(question) => {
            Outcome::order(texts.say("answered", &[]), Order::Answer(Answer::Enough))
        }
        Action::Approve(ceiling) if project.state.next() == Next::Approve => {
            let amount = ceiling.to_string();
            Outcome::order(texts.say("approved", &[("ceiling", plain(&amount))]), Order::Approve(*ceiling))
        }
        Action::Change if project.state.plan.is_some() => {
            Outcome { expecting: Expecting::Change, ..Outcome::say(texts.say("ask-change", &[])) }
        }
        Action::Cancel if !project.state.is_over() => ask_cancel(texts, &title),
        Action::CancelSurely if !project.state.is_over() => Outcome { order: Some(Order::Cancel), ..Outcome::default() },
        Action::Nothing => Outcome::say(texts.say("going-on", &[])),
        Action::Retry if matches!(project.state.phase, Phase::Failed(_) | Phase::Paused(Pause::Stuck { .. }, _)) => {
            Outcome::order(texts.say("retried", &[]), Order::Retry)
        }
        Action::GiveUp if matches!(project.state.phase, Phase::Paused(Pause::Stuck { .. }, _)) => {
            Outcome::order(texts.say("going-on", &[]), Order::GiveUp)
        }
        _ => Outcome::say(texts.say("stale", &[])),
    }
}

fn idea(situation: &Situation, text: &str) -> Outcome {
    let texts = situation.texts;
    if text.len() > IDEA_BYTES_MAX {
        return Outcome::say(texts.say("too-long", &[("max", &IDEA_BYTES_MAX.to_string())]));
    }
    let limit = situation.limit.to_string();
    Outcome::order(texts.say("begun", &[("limit", plain(&limit))]), Order::Begin(text.to_owned()))
}

fn budget(situation: &Situation, project: &Project, text: &str) -> Outcome {
    let texts = situation.texts;
    let word = text.split_whitespace().next().unwrap_or_default();
    match word.parse::<NanoUsd>() {
        Ok(ceiling) if ceiling > project.charged => {
            let amount = ceiling.to_string();
            Outcome::order(texts.say("budget-set", &[("ceiling", plain(&amount))]), Order::Budget(ceiling))
        }
        Ok(_) => Outcome::say(texts.say("budget-low", &[("spent", plain(&project.charged.to_string()))])),
        Err(_) => Outcome { expecting: Expecting::Budget, ..Outcome::say(texts.say("no-amount", &[])) },
    }
}

fn ask_cancel(texts: Texts, title: &str) -> Outcome {
    let button = |name: &str, action| Button { label: texts.say(name, &[]), action };
    let message = Message::text(texts.say("ask-cancel", &[("title", title)]))
        .with([button("cancel-sure", Action::CancelSurely), button("cancel-not", Action::Nothing)]);
    Outcome { say: vec![message], ..Outcome::default() }
}

fn history(situation: &Situation) -> String {
    let texts = situation.texts;
    let mut text = texts.say("history-head", &[]);
    for (title, word, spent) in situation.listed.iter().take(LISTED_MAX) {
        let phase = texts.say(&format!("phase-{word}"), &[]);
        text.push('\n');
        text.push_str(&texts.say("history-line", &[("title", title), ("phase", &phase), ("spent", plain(&spent.to_string()))]));
    }
    text
}

/// The phase in words.
pub(super) fn phase(texts: Texts, project: &Project) -> String {
    texts.say(&format!("phase-{}", project.state.phase.word()), &[])
}

/// An amount without its unit, which the texts bring.
pub(super) fn plain(amount: &str) -> &str {
    amount.strip_suffix(" credits").unwrap_or(amount)
}

/// Tasks that are done, of all.
pub(super) fn tasks_done(project: &Project) -> (usize, usize) {
    let done = project.state.tasks.iter().filter(|task| task.status == TaskStatus::Accepted).count();
    (done, project.state.tasks.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Brief, Plan, Progress, Question, Requirement, State, Task};

    fn project(phase: Phase) -> Project {
        let requirement = Requirement { id: "R1".into(), text: "it greets".into(), prerequisites: vec![] };
        let brief = Brief { title: "A <thing>".into(), summary: "s".into(), language: "python".into(), requirements: vec![requirement] };
        let task = Task {
            id: "T1".into(),
            title: "greet".into(),
            description: "d".into(),
            depends_on: vec![],
            files: vec!["a.py".into()],
            acceptance: vec![],
        };
        let plan = Plan { tasks: vec![task], run_command: "r".into(), design: "d".into() };
        let tasks = vec![
            serde_json::from_str::<Progress>(
                r#"{"status":"waiting","attempt":0,"findings":[],"results":[],"summary":"","candidate":null}"#,
            )
            .expect("a progress"),
        ];
        let state = State { phase, brief: Some(brief), plan: Some(plan), tasks, ..State::new("an idea") };
        let (charged, refunded) = (NanoUsd(5_000_000), NanoUsd::ZERO);
        Project { id: "p1".into(), state, charged, refunded, quote: None, claims: vec![], unchecked: 0 }
    }

    fn situation(current: Option<Project>) -> Situation {
        Situation {
            texts: Texts::default(),
            person: 7,
            allowed: true,
            credits: (NanoUsd(9_000_000), NanoUsd::ZERO),
            limit: NanoUsd(1_000_000),
            current,
            listed: vec![],
            expecting: Expecting::Anything,
        }
    }

    fn order(phase: Phase, heard: Heard) -> Option<Order> {
        respond(&situation(Some(project(phase))), &heard).order
    }

    fn text(words: &str) -> Heard {
        Heard::Text(words.to_owned())
    }

    #[test]
    fn words_are_an_idea_an_answer_or_a_change_as_things_stand() {
        assert_eq!(respond(&situation(None), &text("a tool")).order, Some(Order::Begin("a tool".into())));
        for phase in [Phase::Quoted, Phase::Delivered] {
            assert_eq!(order(phase, text("in blue")), Some(Order::Change("in blue".into())));
        }
        for phase in [Phase::Cancelled, Phase::Failed("why".into())] {
            assert_eq!(order(phase, text("another tool")), Some(Order::Begin("another tool".into())));
        }
        assert_eq!(order(Phase::Building, text("hurry")), None, "it is said how to ask for something else");
        let mut asking = project(Phase::Eliciting);
        asking.state.question = Some(Question { id: "q1".into(), text: "which?".into(), choices: vec![] });
        assert_eq!(respond(&situation(Some(asking)), &text("that")).order, Some(Order::Answer(Answer::Text("that".into()))));
    }

    #[test]
    fn a_button_does_its_work_only_while_it_means_something() {
        let approve = Heard::Pressed(Action::Approve(NanoUsd(9)));
        assert_eq!(order(Phase::Quoted, approve.clone()), Some(Order::Approve(NanoUsd(9))));
        for phase in [Phase::Building, Phase::Delivered, Phase::Cancelled] {
            assert_eq!(order(phase, approve.clone()), None, "an old approval buys nothing");
        }
        let old = Heard::Pressed(Action::Choose { question: "q1".into(), answer: "x".into() });
        assert_eq!(order(Phase::Building, old), None);
        assert_eq!(order(Phase::Delivered, Heard::Pressed(Action::CancelSurely)), None);
        assert_eq!(order(Phase::Building, Heard::Pressed(Action::CancelSurely)), Some(Order::Cancel));
        assert_eq!(order(Phase::Building, Heard::Pressed(Action::Cancel)), None, "it is asked first");
    }

    #[test]
    fn a_ceiling_is_a_number_above_what_is_spent() {
        let mut here = situation(Some(project(Phase::Building)));
        here.expecting = Expecting::Budget;
        assert_eq!(respond(&here, &text("100")).order, Some(Order::Budget("100".parse().expect("an amount"))));
        for words in ["1", "a lot", "-5", "0"] {
            let outcome = respond(&here, &text(words));
            assert_eq!(outcome.order, None, "{words}");
        }
        assert_eq!(respond(&here, &text("a lot")).expecting, Expecting::Budget, "it is asked again");
    }

    #[test]
    fn a_title_is_no_markup_and_a_stranger_is_told_the_own_number() {
        let said = respond(&situation(Some(project(Phase::Building))), &Heard::Command("status".into(), String::new()));
        assert!(said.say[0].html.contains("A &lt;thing&gt;"), "{}", said.say[0].html);
        let stranger = Situation { allowed: false, ..situation(None) };
        let said = respond(&stranger, &text("a tool"));
        assert!(said.order.is_none() && said.say[0].html.contains("<code>7</code>"), "{said:?}");
    }
}
