//! The nouns that the host speaks inside. Their shapes follow `wit/` closely, but they belong to the host: each API version
//! converts to and from them in one file.

use crate::ledger::{NanoUsd, Scope};
use crate::workspace::import::Why;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One thing the user wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Unique within the brief.
    pub id: String,
    /// What must hold.
    pub text: String,
    /// Requirements that must hold first.
    pub prerequisites: Vec<String>,
}

/// What was understood from the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// A few words.
    pub title: String,
    /// One paragraph.
    pub summary: String,
    /// The main programming language, in lower case.
    pub language: String,
    /// At least one.
    pub requirements: Vec<Requirement>,
}

/// A text file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
}

/// How an output is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// Equal but for trailing white space.
    Exact(String),
    /// Contains.
    Contains(String),
    /// Matches the expression somewhere.
    Pattern(String),
    /// Whatever it is.
    Anything,
}

/// A command and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStep {
    /// The first chooses the runner.
    pub arguments: Vec<String>,
    /// What it reads.
    pub stdin: String,
    /// What it must print.
    pub stdout: Matching,
    /// How it must end.
    pub exit_code: i32,
}

/// How to find out whether a requirement holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// These files parse.
    Parses(Vec<String>),
    /// These files can be imported.
    Loads(Vec<String>),
    /// This test file passes.
    UnitTest(SourceFile),
    /// These commands do what they should.
    Command(Vec<CommandStep>),
    /// This file is there.
    FilePresent(String),
    /// No program can say; this is why.
    Judgement(String),
}

impl Check {
    /// One line that a person can read.
    pub fn describe(&self) -> String {
        match self {
            Check::Parses(files) => format!("parses: {}", files.join(", ")),
            Check::Loads(files) => format!("loads: {}", files.join(", ")),
            Check::UnitTest(file) => format!("unit tests in {}", file.path),
            Check::Command(steps) => {
                let lines: Vec<_> = steps.iter().map(|step| step.arguments.join(" ")).collect();
                format!("command: {}", lines.join(" && "))
            }
            Check::FilePresent(path) => format!("file present: {path}"),
            Check::Judgement(reason) => format!("not checkable by a program: {reason}"),
        }
    }
}

/// A requirement and one check of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Unique within the plan.
    pub id: String,
    /// The requirement it shows.
    pub requirement: String,
    /// How.
    pub check: Check,
}

/// A node of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Unique within the plan.
    pub id: String,
    /// The commit's subject.
    pub title: String,
    /// What to build.
    pub description: String,
    /// What it builds on.
    pub depends_on: Vec<String>,
    /// What it may write.
    pub files: Vec<String>,
    /// What must hold when it is done.
    pub acceptance: Vec<Acceptance>,
}

/// How the brief becomes files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Each after those it depends on.
    pub tasks: Vec<Task>,
    /// What the user types to use the result.
    pub run_command: String,
    /// One paragraph on the chosen design.
    pub design: String,
}

impl Plan {
    /// The task with this id.
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The test files that checks bring with them. Agents read them and never write them.
    pub fn check_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.tasks.iter().flat_map(|task| &task.acceptance).filter_map(|acceptance| match &acceptance.check {
            Check::UnitTest(file) => Some(file),
            _ => None,
        })
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckStatus {
    /// It ran and held.
    Passed,
    /// It ran and did not hold.
    Failed,
    /// It could not be run.
    NotRun,
}

/// What a check did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Which check.
    pub check: String,
    /// Which requirement.
    pub requirement: String,
    /// How it ended.
    pub status: CheckStatus,
    /// What helps to understand it.
    pub detail: String,
    /// By what it was found out, if anything was run.
    #[serde(default)]
    pub ran: Option<Ran>,
}

/// An execution that somebody else can repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// What was run, as one would type it.
    pub command: String,
    /// The runner's name.
    pub runner: String,
    /// The runner's digest.
    pub runner_sha256: String,
    /// Of everything it reported: names and outcomes of tests, output and exit codes of commands.
    pub output_sha256: String,
}

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file, or empty.
    pub path: String,
    /// The line, or 0.
    pub line: u32,
    /// What is wrong and what would be right.
    pub message: String,
    /// The requirement it breaks.
    pub requirement: Option<String>,
}

impl Finding {
    /// A finding about the work as a whole.
    pub fn general(message: impl Into<String>) -> Finding {
        Finding { path: String::new(), line: 0, message: message.into(), requirement: None }
    }
}

/// What the architect says of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Good, because.
    Accepted(String),
    /// Not yet, because.
    Rejected(Vec<Finding>),
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Unique within the run.
    pub id: String,
    /// Plain text.
    pub text: String,
    /// Offered answers.
    pub choices: Vec<String>,
}

/// What the user said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Words.
    Text(String),
    /// Not this one.
    Skipped,
    /// No more questions.
    Enough,
}

/// Why the host says no to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not granted; the text names the line that would.
    Denied(String),
    /// The wallet is too small.
    InsufficientCredits,
    /// A limit is too small.
    BudgetExceeded(Scope),
    /// Try again after so many seconds.
    RateLimited(u32),
    /// The service did not answer.
    Unavailable(String),
    /// The limit in bytes.
    TooLarge(u64),
    /// The prompt does not fit.
    ContextTooLong,
    /// It took too long.
    TimedOut,
    /// No more calls in this run.
    CallLimit,
    /// The provider's filter stopped the answer.
    Filtered,
    /// No such thing.
    NotFound(String),
    /// Makes no sense.
    Invalid(String),
    /// Stopped by a person.
    Cancelled,
    /// Something else.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Denied(line) => write!(out, "not granted ({line})"),
            Refusal::InsufficientCredits => write!(out, "not enough credits"),
            Refusal::BudgetExceeded(scope) => write!(out, "the {} budget is used up", format!("{scope:?}").to_lowercase()),
            Refusal::RateLimited(seconds) => write!(out, "too many requests, try again in {seconds} s"),
            Refusal::Unavailable(why) => write!(out, "unavailable: {why}"),
            Refusal::TooLarge(limit) => write!(out, "larger than {limit} bytes"),
            Refusal::ContextTooLong => write!(out, "the prompt is too long for the model"),
            Refusal::TimedOut => write!(out, "it took too long"),
            Refusal::CallLimit => write!(out, "no more calls in this run"),
            Refusal::Filtered => write!(out, "the provider's filter stopped the answer"),
            Refusal::NotFound(what) => write!(out, "there is no {what}"),
            Refusal::Invalid(why) => write!(out, "invalid: {why}"),
            Refusal::Cancelled => write!(out, "cancelled"),
            Refusal::Other(why) => write!(out, "{why}"),
        }
    }
}

/// Why an agent gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The host refused something it needs.
    Refused(Refusal),
    /// The model's reply made no sense, twice.
    UnusableReply(String),
    /// It can't be done.
    Impossible(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refusal) => write!(out, "{refusal}"),
            Failure::UnusableReply(why) => write!(out, "the model's reply could not be used: {why}"),
            Failure::Impossible(why) => write!(out, "the agent sees no way: {why}"),
        }
    }
}

/// What an implementer says it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// One line, for the history.
    pub summary: String,
    /// What the task left open and it decided.
    pub assumptions: Vec<String>,
}

/// What an agent says it did becomes a line of the history.
pub const SUMMARY_CHARS_MAX: usize = 300;
/// An assumption is a sentence.
pub const ASSUMPTION_CHARS_MAX: usize = 400;
/// Who assumes more of one task should have asked.
pub const ASSUMPTIONS_MAX: usize = 12;

impl Work {
    /// Of somebody who says nothing of what was assumed.
    pub fn from_summary(summary: String) -> Work {
        Work { summary, assumptions: Vec::new() }
    }
}

/// Without assumptions it is written as the line alone: so results were kept before there were any, and they are compared with.
impl Serialize for Work {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.assumptions.is_empty() {
            return out.serialize_str(&self.summary);
        }
        let mut work = out.serialize_struct("Work", 2)?;
        work.serialize_field("summary", &self.summary)?;
        work.serialize_field("assumptions", &self.assumptions)?;
        work.end()
    }
}

/// A task that was accepted, as later runs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedTask {
    /// The task's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What was done.
    pub summary: String,
}

/// What a project may still spend, at each level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remaining {
    /// In this run.
    pub run: NanoUsd,
    /// In this task.
    pub task: NanoUsd,
    /// Under the ceiling.
    pub project: NanoUsd,
}

/// A project that existed before it was ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The digest of its files.
    pub tree: String,
    /// How many there are.
    pub files: usize,
    /// How many were left out of what was handed over, and why.
    pub left_out: BTreeMap<Why, usize>,
}

impl fmt::Display for HandedOver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} files", self.files)?;
        let left_out: Vec<String> = self.left_out.iter().map(|(why, count)| format!("{count} {}", why.as_str())).collect();
        if left_out.is_empty() { Ok(()) } else { write!(out, "; left out: {}", left_out.join(", ")) }
    }
}
