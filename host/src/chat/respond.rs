//! An answer to a person: what to say at once, what to order, and what the next text is taken for.

use super::shop::Bought;
use super::texts::Texts;
use super::{Action, Message, Offer, Operation, Project, Stats, buttons, commands, tell};
use crate::ledger::NanoUsd;
use crate::orchestrator::control::IDEA_BYTES_MAX;
use crate::project::{Answer, HandedOver, Next, Phase, TaskStatus};
use serde::{Deserialize, Serialize};

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
    /// A message that was changed after it was read.
    Edited,
    /// More in a short time than a person can mean.
    TooMuch,
    /// A file that can't be taken: it is too large.
    FileTooLarge,
    /// A file that is neither a text nor a project.
    FileUnreadable,
    /// A project that exists already, and what is to be different in it, if that was said with it.
    Project(HandedOver, String),
    /// A zip that holds more than a project.
    ZipTooMuch,
    /// A zip that can't be read, or holds no project.
    ZipUnreadable,
    /// Something that is no text: a sticker, a voice.
    Other,
    /// The bot was brought into a group.
    Joined,
}

/// What the next text of a chat is taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expecting {
    /// An idea, or an answer where a question is open.
    #[default]
    Anything,
    /// An idea, whatever else is under way.
    Idea,
    /// What is to be different.
    Change,
    /// An amount.
    Budget,
    /// What is to be different in this project, which was handed over.
    Extension(HandedOver),
}

/// A project in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Its phase's word.
    pub phase: String,
    /// What it cost.
    pub spent: NanoUsd,
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
    /// Whether this person runs it.
    pub is_operator: bool,
    /// Whether others listen.
    pub is_group: bool,
    /// What the person has, and how much of it is held.
    pub credits: (NanoUsd, NanoUsd),
    /// What is spent at most before a price is shown.
    pub limit: NanoUsd,
    /// The project that the chat speaks of.
    pub current: Option<Project>,
    /// Whether it is this person's.
    pub owns: bool,
    /// All projects of the person, newest first.
    pub listed: Vec<Listed>,
    /// How many of the person's projects are under way, and how many may be.
    pub under_way: (usize, usize),
    /// What the next text is taken for.
    pub expecting: Expecting,
    /// What the bot is called, for links to it.
    pub bot: String,
    /// How everything stands, for an operator who asks.
    pub stats: Option<Stats>,
    /// What can be bought.
    pub offers: Vec<Offer>,
    /// What was bought, newest first, for somebody who asks.
    pub bought: Vec<Bought>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin a project, or go on with one that was handed over; then the words are what is to be different in it.
    Begin(String, Option<HandedOver>),
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
    /// Have the documents written, under this ceiling.
    Document(NanoUsd),
    /// Try again what failed.
    Retry,
    /// Give the stuck task up.
    GiveUp,
    /// Let the person in who has this code.
    Redeem(String),
    /// What an operator does.
    Operate(Operation),
    /// Make an invoice of this offer.
    Sell(Offer),
    /// Give a purchase back, by its reference.
    Return(String),
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is said.
    pub say: Vec<Message>,
    /// What the pressed button itself says, to whoever pressed it.
    pub toast: Option<String>,
    /// Whether the buttons of the pressed message go.
    pub used: bool,
    /// Whether this is said once in a while only, however often it would fit.
    pub is_seldom: bool,
    /// What is ordered, of the current project unless it begins one.
    pub order: Option<Order>,
    /// What the next text is taken for.
    pub expecting: Expecting,
}

impl Outcome {
    pub(super) fn say(html: String) -> Outcome {
        Outcome { say: vec![Message::text(html)], ..Outcome::default() }
    }

    pub(super) fn order(html: String, order: Order) -> Outcome {
        Outcome { order: Some(order), ..Outcome::say(html) }
    }

    pub(super) fn toast(text: String) -> Outcome {
        Outcome { toast: Some(text), ..Outcome::default() }
    }
}

/// Answers.
pub fn respond(situation: &Situation, heard: &Heard) -> Outcome {
    let texts = situation.texts;
    let plainly = |name: &str| Outcome::say(texts.say(name, &[]));
    match heard {
        Heard::Joined => plainly("group-welcome"),
        Heard::TooMuch => Outcome { expecting: situation.expecting.clone(), is_seldom: true, ..plainly("too-much") },
        Heard::Command(name, code) if name == "start" && !situation.allowed && !code.trim().is_empty() => {
            Outcome::order(texts.say("invited", &[]), Order::Redeem(code.trim().to_owned()))
        }
        Heard::PressedStale { foreign } => Outcome::toast(texts.plain(if *foreign { "foreign" } else { "stale" })),
        _ if !situation.allowed => Outcome::say(texts.say("not-allowed", &[("id", &situation.person.to_string())])),
        Heard::Command(name, rest) => commands::respond(situation, name, rest.trim()),
        Heard::Text(text) => text_of(situation, text.trim()),
        Heard::Pressed(action) => buttons::respond(situation, action),
        Heard::Edited => Outcome { expecting: situation.expecting.clone(), is_seldom: true, ..plainly("edited") },
        Heard::FileTooLarge => plainly("file-too-large"),
        Heard::FileUnreadable => plainly("file-unreadable"),
        Heard::ZipTooMuch => plainly("zip-too-much"),
        Heard::ZipUnreadable => plainly("zip-unreadable"),
        Heard::Project(handed, words) => extension(situation, handed, words.trim()),
        Heard::Other => plainly("not-understood"),
    }
}

fn text_of(situation: &Situation, text: &str) -> Outcome {
    let texts = situation.texts;
    if text.is_empty() {
        return Outcome::say(texts.say("not-understood", &[]));
    }
    if let Expecting::Extension(handed) = &situation.expecting {
        return extension(situation, handed, text);
    }
    let project = match &situation.current {
        Some(project) if situation.expecting != Expecting::Idea => project,
        _ => return idea(situation, text),
    };
    let change = || Outcome::order(texts.say("change-begun", &[]), Order::Change(text.to_owned()));
    match &situation.expecting {
        // Somebody else's project is only looked at; words are an idea of one's own.
        _ if !situation.owns => return idea(situation, text),
        Expecting::Change => return change(),
        Expecting::Budget => return commands::budget(situation, project, text),
        Expecting::Anything | Expecting::Idea | Expecting::Extension(_) => {}
    }
    match project.state.next() {
        Next::Ask(_) => Outcome::order(texts.say("answered", &[]), Order::Answer(Answer::Text(text.to_owned()))),
        // Words about a plan that waits, or about a finished project, are what is to be different.
        Next::Approve => change(),
        // An amount is meant for /budget, which a delivered project has no use for; taken for a change it would cost something.
        Next::Stop if matches!(project.state.phase, Phase::Delivered) && texts.read_amount(text).is_some() => {
            Outcome::say(texts.say("only-a-number", &[]))
        }
        Next::Stop if matches!(project.state.phase, Phase::Delivered) => change(),
        Next::Stop if matches!(project.state.phase, Phase::Paused(..)) => Outcome { say: tell(texts, project), ..Outcome::default() },
        Next::Stop if project.state.is_over() => idea(situation, text),
        Next::Stop | Next::Run(_) | Next::Deliver => Outcome::say(texts.say("busy", &[("title", &project.title())])),
    }
}

/// Words that begin a project.
pub(super) fn idea(situation: &Situation, text: &str) -> Outcome {
    let texts = situation.texts;
    if text.len() > IDEA_BYTES_MAX {
        return Outcome::say(texts.say("too-long", &[("max", &(IDEA_BYTES_MAX / 1_000).to_string())]));
    }
    let (under_way, max) = situation.under_way;
    if under_way >= max {
        return Outcome::say(texts.say("too-many-projects", &[("count", &under_way.to_string())]));
    }
    if situation.credits.0 <= situation.credits.1 {
        return no_credits(situation);
    }
    Outcome::order(texts.say("begun", &[("limit", &texts.cost(situation.limit))]), Order::Begin(text.to_owned(), None))
}

/// A project that was handed over, with words on what is to be different in it or none yet.
fn extension(situation: &Situation, handed: &HandedOver, words: &str) -> Outcome {
    let texts = situation.texts;
    if words.is_empty() {
        let (files, left_out) = (handed.files.to_string(), handed.left_out.values().sum::<usize>().to_string());
        let name = if handed.left_out.is_empty() { "handed-over" } else { "handed-over-in-part" };
        let question = texts.say(name, &[("files", &files), ("left_out", &left_out)]);
        return Outcome { expecting: Expecting::Extension(handed.clone()), ..Outcome::say(question) };
    }
    let begun = idea(situation, words);
    match begun.order {
        Some(_) => Outcome { order: Some(Order::Begin(words.to_owned(), Some(handed.clone()))), ..begun },
        // It can be said again when there is room or credit for it.
        None => Outcome { expecting: Expecting::Extension(handed.clone()), ..begun },
    }
}

/// Nothing can be spent; and the way to more.
pub(super) fn no_credits(situation: &Situation) -> Outcome {
    let name = if situation.offers.is_empty() { "no-credits" } else { "no-credits-buy" };
    Outcome::say(situation.texts.say(name, &[]))
}

/// The phase in words.
pub(super) fn phase(texts: Texts, project: &Project) -> String {
    texts.plain(&format!("phase-{}", project.state.phase.word()))
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
        Project { id: "p1".into(), state, calls: 3, charged, refunded, quote: None, claims: vec![], unchecked: 0 }
    }

    fn situation(current: Option<Project>) -> Situation {
        Situation {
            texts: Texts::default(),
            person: 7,
            allowed: true,
            credits: (NanoUsd(9_000_000), NanoUsd::ZERO),
            limit: NanoUsd(1_000_000),
            current,
            owns: true,
            is_operator: false,
            is_group: false,
            listed: vec![],
            under_way: (1, 5),
            expecting: Expecting::Anything,
            bot: "atelier_bot".into(),
            stats: None,
            offers: vec![],
            bought: vec![],
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
        assert_eq!(respond(&situation(None), &text("a tool")).order, Some(Order::Begin("a tool".into(), None)));
        for phase in [Phase::Quoted, Phase::Delivered] {
            assert_eq!(order(phase, text("in blue")), Some(Order::Change("in blue".into())));
        }
        for phase in [Phase::Cancelled, Phase::Failed("why".into())] {
            assert_eq!(order(phase, text("another tool")), Some(Order::Begin("another tool".into(), None)));
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

    #[test]
    fn somebody_elses_project_is_looked_at_and_no_more() {
        let other = Situation { owns: false, ..situation(Some(project(Phase::Quoted))) };
        let command = |name: &str| respond(&other, &Heard::Command(name.into(), String::new()));
        assert!(command("status").say[0].html.contains("thing"));
        for name in ["cancel", "pause", "change", "budget", "retry", "resume"] {
            assert!(command(name).order.is_none() && command(name).say[0].html.contains("Only the person"), "{name}");
        }
        assert_eq!(respond(&other, &text("mine")).order, Some(Order::Begin("mine".into(), None)), "words are an idea of one's own");
    }

    #[test]
    fn what_operators_can_does_not_exist_for_others() {
        let words = |is_operator, name: &str, rest: &str| {
            respond(&Situation { is_operator, ..situation(None) }, &Heard::Command(name.into(), rest.into()))
        };
        for (name, rest) in [("grant", "7 100"), ("block", "8"), ("invite", ""), ("announce", "hello"), ("stats", "")] {
            assert!(words(false, name, rest).say[0].html.contains("There is no"), "{name}");
            assert!(!words(true, name, rest).say.iter().any(|said| said.html.contains("There is no")), "{name}");
        }
        let grant = Operation::Grant { person: 8, amount: "100".parse().expect("an amount") };
        assert_eq!(words(true, "grant", "8 100").order, Some(Order::Operate(grant)));
        for rest in ["", "8", "8 -5", "8 0", "x 5"] {
            assert_eq!(words(true, "grant", rest).order, None, "{rest}");
        }
        assert_eq!(words(true, "block", "7").order, None, "nobody locks the own door from inside");
    }

    #[test]
    fn nothing_is_begun_without_credits_or_beyond_what_one_person_may_have() {
        let many = Situation { under_way: (5, 5), ..situation(None) };
        let poor = Situation { credits: (NanoUsd(5), NanoUsd(5)), ..situation(None) };
        for here in [many, poor] {
            assert_eq!(respond(&here, &text("a tool")).order, None);
        }
    }
}
