//! The model of a scene: it builds a to-do list, and does on the way what the scene is about. It answers by what it is asked, and states
//! the same usage for each answer, so that every amount in a chat is known beforehand, whatever the prompts say.

use crate::model_server::{Answer, Asked, Gate, ModelServer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens of each answer, in and out: 4.325 credits at a story's price, which is a number that no person wants to read.
const USAGE: (u64, u64) = (3_210, 1_115);

/// What a scene's model does besides its work; each has its words in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trait {
    /// It asks one question with choices and one without before it plans.
    AsksTwoQuestions,
    /// Its brief has the idea's first line as its title.
    NamesItAsTheIdea,
    /// The project is one task.
    OneTask,
    /// The second task fails, try after try.
    CannotMarkTasks,
    /// Every task fails, try after try.
    CannotBuildIt,
    /// The second task is written twice in the same way, and in another one after that.
    GetsStuck,
    /// What it writes about the project is no document.
    CannotWriteDocuments,
    /// It says nothing that is a brief.
    TalksNonsense,
    /// The plan has one requirement that no program can check.
    LeavesOneToJudgement,
}

impl Trait {
    /// By its words.
    pub fn read(words: &str) -> Result<Trait, String> {
        TRAITS.iter().find(|(known, _)| *known == words).map(|(_, found)| *found).ok_or_else(|| {
            let known: Vec<&str> = TRAITS.iter().map(|(words, _)| *words).collect();
            format!("no model `{words}`; there are: {}", known.join(", "))
        })
    }
}

const TRAITS: &[(&str, Trait)] = &[
    ("asks two questions", Trait::AsksTwoQuestions),
    ("names it as the idea", Trait::NamesItAsTheIdea),
    ("makes one task of it", Trait::OneTask),
    ("can't mark tasks as done", Trait::CannotMarkTasks),
    ("can't build it", Trait::CannotBuildIt),
    ("gets stuck", Trait::GetsStuck),
    ("can't write documents", Trait::CannotWriteDocuments),
    ("talks nonsense", Trait::TalksNonsense),
    ("leaves one thing to judgement", Trait::LeavesOneToJudgement),
];

/// What a scene changes while it is played.
#[derive(Default)]
struct Mood {
    is_down: bool,
    /// Does whatever it could not before.
    is_able: bool,
    /// Tries of the second task so far.
    tries: usize,
}

/// A running model.
pub struct SceneModel {
    /// Its server.
    pub server: ModelServer,
    /// Shut while it thinks.
    pub gate: Gate,
    mood: Arc<Mutex<Mood>>,
}

impl SceneModel {
    /// Starts one that does this.
    pub async fn start(traits: Vec<Trait>) -> SceneModel {
        let (gate, mood) = (Gate::default(), Arc::<Mutex<Mood>>::default());
        let (door, noted) = (gate.clone(), mood.clone());
        let server = ModelServer::scripted(move |asked, _| {
            let mut mood = lock(&noted);
            if mood.is_down {
                return Answer::Status(503);
            }
            let traits: &[Trait] = if mood.is_able { &[] } else { &traits };
            let text = answer(asked, traits, &mut mood).map_or(Answer::Status(500), |text| Answer::Usage(text, USAGE.0, USAGE.1));
            Answer::Behind(door.clone(), Box::new(text))
        })
        .await;
        SceneModel { server, gate, mood }
    }

    /// Refuses every call, or takes them again.
    pub fn is_down(&self, is_down: bool) {
        lock(&self.mood).is_down = is_down;
    }

    /// Can do from now on what it could not.
    pub fn learns(&self) {
        lock(&self.mood).is_able = true;
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is said to this; nothing where the model was not made for the question.
fn answer(asked: &Asked, traits: &[Trait], mood: &mut Mood) -> Option<String> {
    let (text, has) = (asked.text(), |one: Trait| traits.contains(&one));
    if let Some((_, task)) = text.split_once("# Your task: ") {
        return Some(match task.lines().next()? {
            title if title.starts_with("List the tasks") => file("list the tasks", "list.py", mood, false),
            title if title.starts_with("Add and list") => file("add and list tasks", "todo.py", mood, has(Trait::CannotBuildIt)),
            _ => {
                mood.tries += 1;
                let tries_differ = has(Trait::CannotBuildIt) || has(Trait::CannotMarkTasks) || mood.tries > 2;
                file("mark tasks as done", "done.py", mood, tries_differ)
            }
        });
    }
    if let Some((_, task)) = text.split_once("# The task\n\n") {
        let is_second = task.starts_with("Mark as done");
        let is_bad =
            has(Trait::CannotBuildIt) || (is_second && (has(Trait::CannotMarkTasks) || (has(Trait::GetsStuck) && mood.tries <= 2)));
        let fault = if is_second { "- done.py:1 R2 a task stays as it was" } else { "- todo.py:1 R1 no task is kept" };
        return Some(if is_bad { format!("reject:\n{fault}") } else { "accept: it does what it should.".to_owned() });
    }
    if text.contains("You are a technical writer") {
        return Some(if has(Trait::CannotWriteDocuments) { "Hm.".to_owned() } else { documents() });
    }
    if text.contains("The project exists already") {
        return Some(if text.contains("You turn a brief into a plan") { EXTENSION_PLAN } else { EXTENSION_BRIEF }.to_owned());
    }
    if text.contains("You turn a brief into a plan") {
        return Some(plan(text.contains("# A change"), traits));
    }
    text.contains("A client sends an idea").then(|| match text.contains("The client's answers:\n\n") {
        _ if has(Trait::TalksNonsense) => "Hm.".to_owned(),
        false if has(Trait::AsksTwoQuestions) => QUESTIONS.to_owned(),
        _ => brief(&text, traits),
    })
}

/// A file; each try differs from the one before, if it is to.
fn file(summary: &str, path: &str, mood: &mut Mood, differs: bool) -> String {
    let tries = if differs { format!("# try {}\n", mood.tries) } else { String::new() };
    if differs && path == "todo.py" {
        mood.tries += 1;
    }
    format!("summary: {summary}\n\n{path}\n````\nprint(\"to do\")\n{tries}````\n")
}

fn documents() -> String {
    let words = "A task is a line of a file that both programs read. ".repeat(5);
    let diagram = "```mermaid\nflowchart LR\n  A[\"todo.py\"] --> B[\"a file\"]\n```";
    format!("design.md\n````\n# Design\n\n{words}\n\n{diagram}\n````\n\nuser_manual.md\n````\n# User manual\n\n{words}\n````\n")
}

const QUESTIONS: &str =
    "size: S\nquestion: Where should the tasks be kept?\n- in a file\n- in memory only\nquestion: What should it be called?\n";

/// What is made of a project that was handed over.
const EXTENSION_BRIEF: &str = "size: XS\ntitle: Notes\nlanguage: python\nsummary: Notes, with a list of them.\nrequirement: `list.py` lists the tasks of `todo.py`.\n";
const EXTENSION_PLAN: &str = "design: one more program beside the one that is there.\nrun: python3 list.py\n\ntask: List the tasks\nneeds: -\nfiles: list.py\ndo: Write list.py.\n\ncheck: R1 file-present list.py\n";

fn brief(asked: &str, traits: &[Trait]) -> String {
    let idea = asked.split_once("The client's idea:\n\n").and_then(|(_, rest)| rest.lines().next()).unwrap_or_default();
    let title = if traits.contains(&Trait::NamesItAsTheIdea) { idea } else { "To-do list" };
    let mut text = format!("size: S\ntitle: {title}\nlanguage: python\nsummary: A list of tasks for the terminal.\n");
    text.push_str("requirement: `todo.py` adds a task and lists all of them.\n");
    if asked.contains("What the client wants changed in it") {
        text.push_str("requirement: `done.py` marks a task as done and shows it in green.\n");
    } else if !traits.contains(&Trait::OneTask) {
        text.push_str("requirement: `done.py` marks a task as done.\n");
    }
    if traits.contains(&Trait::LeavesOneToJudgement) {
        text.push_str("requirement: The list is pleasant to read.\n");
    }
    text
}

fn plan(is_change: bool, traits: &[Trait]) -> String {
    let head = "design: one program for each deed, and a file that both read.\nrun: python3 todo.py\n";
    let second = "needs: -\nfiles: done.py\ndo: Write done.py.\n\ncheck: R2 file-present done.py\n";
    if is_change {
        return format!("{head}\ntask: T2 Mark as done, in green\n{second}");
    }
    let last = if traits.contains(&Trait::OneTask) { "R2" } else { "R3" };
    let judgement = match traits.contains(&Trait::LeavesOneToJudgement) {
        true => format!("check: {last} judgement only people know\n"),
        false => String::new(),
    };
    let first =
        format!("\ntask: Add and list\nneeds: -\nfiles: todo.py\ndo: Write todo.py.\n\ncheck: R1 file-present todo.py\n{judgement}");
    let second = if traits.contains(&Trait::OneTask) { String::new() } else { format!("\ntask: Mark as done\n{second}") };
    format!("{head}{first}{second}")
}
