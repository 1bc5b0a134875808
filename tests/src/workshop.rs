//! A model that builds a project of many small tasks. It answers by what it is asked and not by when, so that tasks can be worked on in
//! any order, at one time, and again after a kill; whatever the order, the finished files are the same.

use crate::model_server::{Answer, Asked, ModelServer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the project's tasks have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tasks {
    /// Nothing: each writes a file of its own.
    Apart,
    /// They all write the same file, and the plan does not say that they wait for each other.
    OneFile,
    /// Each but the first needs the one before it.
    Chained,
    /// The first is needed by all others, which the last needs.
    Diamond,
}

/// A running model.
pub struct Workshop {
    /// The server.
    pub server: ModelServer,
    under_way: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl Workshop {
    /// A project of so many tasks; the model thinks so long over each answer.
    pub async fn new(count: usize, tasks: Tasks, mut thinking: impl FnMut() -> Duration + Send + 'static) -> Workshop {
        let under_way: Arc<Mutex<Vec<(Instant, Instant)>>> = Arc::default();
        let noted = under_way.clone();
        let server = ModelServer::scripted(move |asked, _| {
            let (now, thinking) = (Instant::now(), thinking());
            lock(&noted).push((now, now + thinking));
            let answer = answer(asked, count, tasks).map_or(Answer::Status(500), Answer::Text);
            if thinking.is_zero() { answer } else { Answer::Slow(thinking, Box::new(answer)) }
        })
        .await;
        Workshop { server, under_way }
    }

    /// The most answers that were being thought over at one time.
    pub fn at_one_time_max(&self) -> usize {
        let calls = lock(&self.under_way);
        let overlap = |instant: Instant| calls.iter().filter(|(began, ended)| *began <= instant && instant < *ended).count();
        calls.iter().map(|(began, _)| overlap(*began)).max().unwrap_or(0)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the model says to this; nothing where it was not made for the question.
pub fn answer(asked: &Asked, count: usize, tasks: Tasks) -> Option<String> {
    let text = asked.text();
    if let Some((_, rest)) = text.split_once("# Your task: Be part ") {
        let number = number(rest)?;
        let known = |part: &usize| text.contains(&format!("def part_{part}()"));
        let (path, parts) = match tasks {
            Tasks::OneFile => ("parts.py".to_owned(), (1..=count).filter(|part| *part == number || known(part)).collect()),
            _ => (format!("part_{number}.py"), vec![number]),
        };
        let functions: Vec<String> = parts.iter().map(|part| format!("def part_{part}():\n    return {part}\n")).collect();
        return Some(format!("summary: be part {number}\n\n{path}\n````\n{}````\n", functions.join("\n\n")));
    }
    if text.contains("# The task\n\nBe part ") {
        return Some("accept: it is what it should be.".to_owned());
    }
    if text.contains("You turn a brief into a plan") {
        return Some(if text.contains("# A change") { second_part_anew() } else { plan(count, tasks) });
    }
    text.contains("A client sends an idea").then(|| match text.rsplit_once("In place of the requirement \"part_2() is 2.\": ") {
        Some((_, words)) => brief(count).replace("part_2() is 2.", words.lines().next().unwrap_or_default()),
        None => brief(count),
    })
}

fn number(text: &str) -> Option<usize> {
    text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn brief(count: usize) -> String {
    let requirements: String = (1..=count).map(|part| format!("requirement: part_{part}() is {part}.\n")).collect();
    format!("size: S\ntitle: Parts\nlanguage: python\nsummary: {count} functions.\n{requirements}")
}

/// What is planned whatever change is asked for: the second part is done again.
fn second_part_anew() -> String {
    let head = "design: each part is a function.\nrun: python3 part_1.py\n";
    format!("{head}\ntask: T2 Be part 2\nneeds: -\nfiles: part_2.py\ndo: Write part_2().\n\ncheck: R2 file-present part_2.py\n")
}

fn plan(count: usize, tasks: Tasks) -> String {
    let mut text = "design: each part is a function.\nrun: python3 part_1.py\n".to_owned();
    for part in 1..=count {
        let needs = match tasks {
            Tasks::Chained if part > 1 => (part - 1).to_string(),
            Tasks::Diamond if part == count => (2..count).map(|part| part.to_string()).collect::<Vec<_>>().join(", "),
            Tasks::Diamond if part > 1 => "1".to_owned(),
            _ => "-".to_owned(),
        };
        let path = if tasks == Tasks::OneFile { "parts.py".to_owned() } else { format!("part_{part}.py") };
        text.push_str(&format!(
            "\ntask: Be part {part}\nneeds: {needs}\nfiles: {path}\ndo: Write part_{part}().\n\ncheck: R{part} file-present {path}\n"
        ));
    }
    text
}
