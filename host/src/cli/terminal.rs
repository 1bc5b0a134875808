//! What a person sees and types: questions, the plan with its price, progress. Everything for people goes to standard error; results
//! go to standard output.

use crate::checks::Checks;
use crate::ledger::NanoUsd;
use crate::llm::keys::mask::{self, MaskingWriter};
use crate::orchestrator::quote::Quote;
use crate::plugins::imports::Progress;
use crate::project::{Answer, Question, State, TaskStatus};
use anyhow::{Context, Result};
use dialoguer::{Input, Select};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// Logs go to standard error.
pub(super) fn start_log(filter: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .with_context(|| format!("ATELIER_LOG is `{filter}`; write something like `info`"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| MaskingWriter::new(std::io::stderr(), mask::process().current()))
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    Ok(())
}

/// Where answers come from.
pub(super) enum Answers {
    /// A person at the terminal.
    Person,
    /// A file: one answer a line, `-` skips, the end means enough.
    File(VecDeque<String>),
    /// Nobody: the project waits.
    Nobody,
}

impl Answers {
    /// From a file if one is given, else from the terminal if there is one.
    pub(super) fn new(file: Option<&Path>) -> Result<Answers> {
        match file {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("read the answers from {}", path.display()))?;
                Ok(Answers::File(text.lines().map(str::to_owned).collect()))
            }
            None if std::io::stdin().is_terminal() => Ok(Answers::Person),
            None => Ok(Answers::Nobody),
        }
    }

    /// The answer, or nothing if there is nobody to ask.
    pub(super) fn ask(&mut self, question: &Question) -> Result<Option<Answer>> {
        match self {
            Answers::Nobody => Ok(None),
            Answers::Person => ask_person(question).map(Some),
            Answers::File(lines) => {
                let answer = match lines.pop_front().as_deref().map(str::trim) {
                    None => Answer::Enough,
                    Some("-" | "") => Answer::Skipped,
                    Some(text) => Answer::Text(text.to_owned()),
                };
                eprintln!("? {}\n  {}", question.text, words(&answer));
                Ok(Some(answer))
            }
        }
    }
}

fn ask_person(question: &Question) -> Result<Answer> {
    let mut items: Vec<&str> = question.choices.iter().map(String::as_str).collect();
    let own = items.len();
    items.extend(["(another answer)", "(skip)", "(enough questions)"]);
    let chosen = Select::new().with_prompt(&question.text).items(&items).default(0).interact()?;
    match chosen.checked_sub(own) {
        None => Ok(Answer::Text(question.choices[chosen].clone())),
        Some(0) => Ok(Answer::Text(Input::new().with_prompt("Your answer").interact_text()?)),
        Some(1) => Ok(Answer::Skipped),
        Some(_) => Ok(Answer::Enough),
    }
}

fn words(answer: &Answer) -> &str {
    match answer {
        Answer::Text(text) => text,
        Answer::Skipped => "(skipped)",
        Answer::Enough => "(enough)",
    }
}

/// Shows the plan with its price.
pub(super) fn show_plan(state: &State, quote: &Quote, checks: &Checks) {
    let (Some(brief), Some(plan)) = (&state.brief, &state.plan) else { return };
    eprintln!("\n{}: {}\n", brief.title, brief.summary);
    for requirement in &brief.requirements {
        eprintln!("  {} {}", requirement.id, requirement.text);
    }
    eprintln!("\nPlan: {}\n", plan.design);
    for (task, progress) in plan.tasks.iter().zip(&state.tasks) {
        let done = if progress.status == TaskStatus::Accepted { " (done)" } else { "" };
        eprintln!("  {} {} [{}]{done}", task.id, task.title, task.files.join(", "));
    }
    let unchecked = checks.out_of_reach(brief, plan);
    eprintln!();
    show_price(if state.revision.is_some() { "Price of the change" } else { "Price" }, quote);
    if unchecked > 0 {
        eprintln!(
            "{unchecked} of {} requirements can't be checked by running code here; the report will say unverified.",
            brief.requirements.len()
        );
    }
}

/// What can't be known better than to a tenth of a credit is not said better.
fn estimated(amount: NanoUsd) -> NanoUsd {
    let tenth = NanoUsd::credits(1).0 / 10;
    if amount.0 < tenth { amount } else { NanoUsd((amount.0 + tenth / 2) / tenth * tenth) }
}

/// A price before work.
pub(super) fn show_price(name: &str, quote: &Quote) {
    let basis = match quote.measured_tasks {
        0 => "a guess: too few of them were measured on this machine yet".to_owned(),
        measured => format!("from {measured} that were finished here"),
    };
    eprintln!(
        "{name}: about {}, between {} and {} ({basis}), {} spent so far. Proposed ceiling, for the whole project: {}.",
        estimated(quote.expected),
        estimated(quote.low),
        estimated(quote.high),
        quote.spent,
        quote.ceiling
    );
}

/// Asks whether to go on, and under which ceiling.
pub(super) fn ask_approval(quote: &Quote) -> Result<Option<NanoUsd>> {
    let proposed = quote.ceiling.to_string().trim_end_matches(" credits").to_owned();
    let text: String = Input::new().with_prompt("Ceiling in credits (empty accepts, `no` stops here)").default(proposed).interact_text()?;
    match text.trim() {
        "no" | "n" => Ok(None),
        amount => Ok(Some(amount.parse()?)),
    }
}

/// A bar with the tasks done, or plain lines where no terminal is.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Bar {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:20}] {pos}/{len} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar)
    }

    /// How far the tasks are.
    pub(super) fn tasks(&self, state: &State) {
        let done = state.tasks.iter().filter(|task| !matches!(task.status, TaskStatus::Waiting | TaskStatus::Written)).count();
        self.0.set_length(state.tasks.len() as u64);
        self.0.set_position(done as u64);
    }

    /// So many of so many, and what is being done.
    pub(super) fn count(&self, done: usize, all: usize, text: &str) {
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
        self.0.set_message(text.to_owned());
    }

    /// What an agent says. Its words are marked as such.
    pub(super) fn say(&self, progress: &Progress) {
        self.0.set_message(format!("agent: {}", progress.text));
        if self.0.is_hidden() {
            eprintln!("· agent: {}", progress.text);
        }
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
