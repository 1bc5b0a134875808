//! The contract's types to the host's nouns and back. Nothing is decided here; words from guests are made safe to show, and lists
//! that nobody would read to their end are cut.

use super::v0_1_0::{credits, dialogue, index, indexer, job, llm, types, workspace};
use super::words::{line, lines, prose};
use crate::index::{Answer as IndexAnswer, Chunk, FileIndex, Hit, Symbol};
use crate::ledger::Scope;
use crate::project::{self as noun, Matching, Remaining};
use crate::workspace::overlay;

/// Ids of requirements, tasks and checks.
const ID_CHARS_MAX: usize = 40;
/// Titles, names, paths, choices: whatever is one line.
const LINE_CHARS_MAX: usize = 300;
/// A requirement, a finding, a reason: what fits a paragraph.
const PARAGRAPH_CHARS_MAX: usize = 2_000;
/// A summary, a design, a description: what fits a page or two.
const PAGE_CHARS_MAX: usize = 12_000;
/// Findings, paths, names in one list.
const LIST_MAX: usize = 100;
/// Chunks and names of one file; a file with more is data.
const INDEX_ENTRIES_MAX: usize = 10_000;
/// Places of one file that do not parse.
const PARSE_ERRORS_MAX: usize = 20;
/// One chunk.
const CHUNK_CHARS_MAX: usize = 20_000;

impl From<types::Requirement> for noun::Requirement {
    fn from(value: types::Requirement) -> noun::Requirement {
        noun::Requirement {
            id: line(&value.id, ID_CHARS_MAX),
            text: line(&value.text, PARAGRAPH_CHARS_MAX),
            prerequisites: lines(value.prerequisites, LIST_MAX, ID_CHARS_MAX),
        }
    }
}

impl From<noun::Requirement> for types::Requirement {
    fn from(value: noun::Requirement) -> types::Requirement {
        types::Requirement { id: value.id, text: value.text, prerequisites: value.prerequisites }
    }
}

impl From<types::Brief> for noun::Brief {
    fn from(value: types::Brief) -> noun::Brief {
        noun::Brief {
            title: line(&value.title, LINE_CHARS_MAX),
            summary: prose(&value.summary, PAGE_CHARS_MAX),
            language: line(&value.language, ID_CHARS_MAX),
            requirements: value.requirements.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<noun::Brief> for types::Brief {
    fn from(value: noun::Brief) -> types::Brief {
        types::Brief {
            title: value.title,
            summary: value.summary,
            language: value.language,
            requirements: value.requirements.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<types::SourceFile> for noun::SourceFile {
    fn from(value: types::SourceFile) -> noun::SourceFile {
        noun::SourceFile { path: value.path, text: value.text }
    }
}

impl From<noun::SourceFile> for types::SourceFile {
    fn from(value: noun::SourceFile) -> types::SourceFile {
        types::SourceFile { path: value.path, text: value.text }
    }
}

impl From<types::CommandStep> for noun::CommandStep {
    fn from(value: types::CommandStep) -> noun::CommandStep {
        noun::CommandStep { arguments: value.arguments, stdin: value.stdin, stdout: value.stdout.into(), exit_code: value.exit_code }
    }
}

impl From<noun::CommandStep> for types::CommandStep {
    fn from(value: noun::CommandStep) -> types::CommandStep {
        types::CommandStep { arguments: value.arguments, stdin: value.stdin, stdout: value.stdout.into(), exit_code: value.exit_code }
    }
}

impl From<types::Acceptance> for noun::Acceptance {
    fn from(value: types::Acceptance) -> noun::Acceptance {
        noun::Acceptance {
            id: line(&value.id, ID_CHARS_MAX),
            requirement: line(&value.requirement, ID_CHARS_MAX),
            check: value.check.into(),
        }
    }
}

impl From<noun::Acceptance> for types::Acceptance {
    fn from(value: noun::Acceptance) -> types::Acceptance {
        types::Acceptance { id: value.id, requirement: value.requirement, check: value.check.into() }
    }
}

impl From<types::Task> for noun::Task {
    fn from(value: types::Task) -> noun::Task {
        noun::Task {
            id: line(&value.id, ID_CHARS_MAX),
            title: line(&value.title, LINE_CHARS_MAX),
            description: prose(&value.description, PAGE_CHARS_MAX),
            depends_on: lines(value.depends_on, LIST_MAX, ID_CHARS_MAX),
            files: lines(value.files, LIST_MAX, LINE_CHARS_MAX),
            acceptance: value.acceptance.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<noun::Task> for types::Task {
    fn from(value: noun::Task) -> types::Task {
        types::Task {
            id: value.id,
            title: value.title,
            description: value.description,
            depends_on: value.depends_on,
            files: value.files,
            acceptance: value.acceptance.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<types::Plan> for noun::Plan {
    fn from(value: types::Plan) -> noun::Plan {
        noun::Plan {
            tasks: value.tasks.into_iter().map(Into::into).collect(),
            run_command: line(&value.run_command, LINE_CHARS_MAX),
            design: prose(&value.design, PAGE_CHARS_MAX),
        }
    }
}

impl From<noun::Plan> for types::Plan {
    fn from(value: noun::Plan) -> types::Plan {
        types::Plan { tasks: value.tasks.into_iter().map(Into::into).collect(), run_command: value.run_command, design: value.design }
    }
}

impl From<types::CheckResult> for noun::CheckResult {
    fn from(value: types::CheckResult) -> noun::CheckResult {
        noun::CheckResult {
            check: value.check,
            requirement: value.requirement,
            status: value.status.into(),
            detail: value.detail,
            ran: None,
        }
    }
}

impl From<noun::CheckResult> for types::CheckResult {
    fn from(value: noun::CheckResult) -> types::CheckResult {
        types::CheckResult { check: value.check, requirement: value.requirement, status: value.status.into(), detail: value.detail }
    }
}

impl From<types::Finding> for noun::Finding {
    fn from(value: types::Finding) -> noun::Finding {
        noun::Finding {
            path: line(&value.path, LINE_CHARS_MAX),
            line: value.line,
            message: prose(&value.message, PARAGRAPH_CHARS_MAX),
            requirement: value.requirement.map(|id| line(&id, ID_CHARS_MAX)),
        }
    }
}

impl From<noun::Finding> for types::Finding {
    fn from(value: noun::Finding) -> types::Finding {
        types::Finding { path: value.path, line: value.line, message: value.message, requirement: value.requirement }
    }
}

impl From<types::Matching> for Matching {
    fn from(value: types::Matching) -> Matching {
        match value {
            types::Matching::Exact(value) => Matching::Exact(value),
            types::Matching::Contains(value) => Matching::Contains(value),
            types::Matching::Pattern(value) => Matching::Pattern(value),
            types::Matching::Anything => Matching::Anything,
        }
    }
}

impl From<Matching> for types::Matching {
    fn from(value: Matching) -> types::Matching {
        match value {
            Matching::Exact(value) => types::Matching::Exact(value),
            Matching::Contains(value) => types::Matching::Contains(value),
            Matching::Pattern(value) => types::Matching::Pattern(value),
            Matching::Anything => types::Matching::Anything,
        }
    }
}

impl From<types::Check> for noun::Check {
    fn from(value: types::Check) -> noun::Check {
        match value {
            types::Check::Parses(value) => noun::Check::Parses(lines(value, LIST_MAX, LINE_CHARS_MAX)),
            types::Check::Loads(value) => noun::Check::Loads(lines(value, LIST_MAX, LINE_CHARS_MAX)),
            types::Check::UnitTest(value) => noun::Check::UnitTest(value.into()),
            types::Check::Command(value) => noun::Check::Command(value.into_iter().map(Into::into).collect()),
            types::Check::FilePresent(value) => noun::Check::FilePresent(line(&value, LINE_CHARS_MAX)),
            types::Check::Judgement(value) => noun::Check::Judgement(line(&value, PARAGRAPH_CHARS_MAX)),
        }
    }
}

impl From<noun::Check> for types::Check {
    fn from(value: noun::Check) -> types::Check {
        match value {
            noun::Check::Parses(value) => types::Check::Parses(value),
            noun::Check::Loads(value) => types::Check::Loads(value),
            noun::Check::UnitTest(value) => types::Check::UnitTest(value.into()),
            noun::Check::Command(value) => types::Check::Command(value.into_iter().map(Into::into).collect()),
            noun::Check::FilePresent(value) => types::Check::FilePresent(value),
            noun::Check::Judgement(value) => types::Check::Judgement(value),
        }
    }
}

impl From<types::Status> for noun::CheckStatus {
    fn from(value: types::Status) -> noun::CheckStatus {
        match value {
            types::Status::Passed => noun::CheckStatus::Passed,
            types::Status::Failed => noun::CheckStatus::Failed,
            types::Status::NotRun => noun::CheckStatus::NotRun,
        }
    }
}

impl From<noun::CheckStatus> for types::Status {
    fn from(value: noun::CheckStatus) -> types::Status {
        match value {
            noun::CheckStatus::Passed => types::Status::Passed,
            noun::CheckStatus::Failed => types::Status::Failed,
            noun::CheckStatus::NotRun => types::Status::NotRun,
        }
    }
}

impl From<types::Verdict> for noun::Verdict {
    fn from(value: types::Verdict) -> noun::Verdict {
        match value {
            types::Verdict::Accepted(value) => noun::Verdict::Accepted(prose(&value, PARAGRAPH_CHARS_MAX)),
            types::Verdict::Rejected(value) => noun::Verdict::Rejected(value.into_iter().take(LIST_MAX).map(Into::into).collect()),
        }
    }
}

impl From<noun::Verdict> for types::Verdict {
    fn from(value: noun::Verdict) -> types::Verdict {
        match value {
            noun::Verdict::Accepted(value) => types::Verdict::Accepted(value),
            noun::Verdict::Rejected(value) => types::Verdict::Rejected(value.into_iter().map(Into::into).collect()),
        }
    }
}

impl From<types::BudgetScope> for Scope {
    fn from(value: types::BudgetScope) -> Scope {
        match value {
            types::BudgetScope::User => Scope::User,
            types::BudgetScope::Project => Scope::Project,
            types::BudgetScope::Task => Scope::Task,
            types::BudgetScope::Run => Scope::Run,
        }
    }
}

impl From<Scope> for types::BudgetScope {
    fn from(value: Scope) -> types::BudgetScope {
        match value {
            // Guests know one limit of the user; which of them binds suspends the run and is told to people.
            Scope::User | Scope::Day | Scope::Month => types::BudgetScope::User,
            Scope::Project => types::BudgetScope::Project,
            Scope::Task => types::BudgetScope::Task,
            Scope::Run => types::BudgetScope::Run,
        }
    }
}

impl From<types::Refusal> for noun::Refusal {
    fn from(value: types::Refusal) -> noun::Refusal {
        match value {
            types::Refusal::Denied(value) => noun::Refusal::Denied(line(&value, PARAGRAPH_CHARS_MAX)),
            types::Refusal::InsufficientCredits => noun::Refusal::InsufficientCredits,
            types::Refusal::BudgetExceeded(value) => noun::Refusal::BudgetExceeded(value.into()),
            types::Refusal::RateLimited(value) => noun::Refusal::RateLimited(value),
            types::Refusal::Unavailable(value) => noun::Refusal::Unavailable(line(&value, PARAGRAPH_CHARS_MAX)),
            types::Refusal::TooLarge(value) => noun::Refusal::TooLarge(value),
            types::Refusal::ContextTooLong => noun::Refusal::ContextTooLong,
            types::Refusal::TimedOut => noun::Refusal::TimedOut,
            types::Refusal::CallLimit => noun::Refusal::CallLimit,
            types::Refusal::Filtered => noun::Refusal::Filtered,
            types::Refusal::NotFound(value) => noun::Refusal::NotFound(line(&value, PARAGRAPH_CHARS_MAX)),
            types::Refusal::Invalid(value) => noun::Refusal::Invalid(line(&value, PARAGRAPH_CHARS_MAX)),
            types::Refusal::Cancelled => noun::Refusal::Cancelled,
            types::Refusal::Other(value) => noun::Refusal::Other(line(&value, PARAGRAPH_CHARS_MAX)),
        }
    }
}

impl From<noun::Refusal> for types::Refusal {
    fn from(value: noun::Refusal) -> types::Refusal {
        match value {
            noun::Refusal::Denied(value) => types::Refusal::Denied(value),
            noun::Refusal::InsufficientCredits => types::Refusal::InsufficientCredits,
            noun::Refusal::BudgetExceeded(value) => types::Refusal::BudgetExceeded(value.into()),
            noun::Refusal::RateLimited(value) => types::Refusal::RateLimited(value),
            noun::Refusal::Unavailable(value) => types::Refusal::Unavailable(value),
            noun::Refusal::TooLarge(value) => types::Refusal::TooLarge(value),
            noun::Refusal::ContextTooLong => types::Refusal::ContextTooLong,
            noun::Refusal::TimedOut => types::Refusal::TimedOut,
            noun::Refusal::CallLimit => types::Refusal::CallLimit,
            noun::Refusal::Filtered => types::Refusal::Filtered,
            noun::Refusal::NotFound(value) => types::Refusal::NotFound(value),
            noun::Refusal::Invalid(value) => types::Refusal::Invalid(value),
            noun::Refusal::Cancelled => types::Refusal::Cancelled,
            noun::Refusal::Other(value) => types::Refusal::Other(value),
        }
    }
}

impl From<types::Failure> for noun::Failure {
    fn from(value: types::Failure) -> noun::Failure {
        match value {
            types::Failure::Refused(value) => noun::Failure::Refused(value.into()),
            types::Failure::UnusableReply(value) => noun::Failure::UnusableReply(line(&value, PARAGRAPH_CHARS_MAX)),
            types::Failure::Impossible(value) => noun::Failure::Impossible(line(&value, PARAGRAPH_CHARS_MAX)),
        }
    }
}

impl From<noun::Failure> for types::Failure {
    fn from(value: noun::Failure) -> types::Failure {
        match value {
            noun::Failure::Refused(value) => types::Failure::Refused(value.into()),
            noun::Failure::UnusableReply(value) => types::Failure::UnusableReply(value),
            noun::Failure::Impossible(value) => types::Failure::Impossible(value),
        }
    }
}

impl From<dialogue::Question> for noun::Question {
    fn from(value: dialogue::Question) -> noun::Question {
        noun::Question {
            id: line(&value.id, ID_CHARS_MAX),
            text: prose(&value.text, PARAGRAPH_CHARS_MAX),
            choices: lines(value.choices, LIST_MAX, LINE_CHARS_MAX),
        }
    }
}

impl From<noun::Answer> for dialogue::Answer {
    fn from(value: noun::Answer) -> dialogue::Answer {
        match value {
            noun::Answer::Text(text) => dialogue::Answer::Text(text),
            noun::Answer::Skipped => dialogue::Answer::Skipped,
            noun::Answer::Enough => dialogue::Answer::Enough,
        }
    }
}

impl From<noun::AcceptedTask> for job::AcceptedTask {
    fn from(value: noun::AcceptedTask) -> job::AcceptedTask {
        job::AcceptedTask { id: value.id, title: value.title, summary: value.summary }
    }
}

impl From<llm::Request> for crate::llm::Request {
    fn from(value: llm::Request) -> crate::llm::Request {
        let messages = value.messages.into_iter().map(|message| crate::llm::Message {
            role: match message.role {
                llm::Role::System => crate::llm::Role::System,
                llm::Role::User => crate::llm::Role::User,
                llm::Role::Assistant => crate::llm::Role::Assistant,
            },
            text: message.text,
            cache_prefix: message.cache_prefix,
        });
        crate::llm::Request {
            class: value.class,
            messages: messages.collect(),
            max_output_tokens: value.max_output_tokens,
            stop: value.stop,
        }
    }
}

impl From<crate::llm::Reply> for llm::Reply {
    fn from(value: crate::llm::Reply) -> llm::Reply {
        llm::Reply {
            text: value.text,
            finish: match value.finish {
                crate::llm::Finish::Complete => llm::Finish::Complete,
                crate::llm::Finish::Length => llm::Finish::Length,
                crate::llm::Finish::Stopped => llm::Finish::Stopped,
                crate::llm::Finish::Filtered => llm::Finish::Filtered,
            },
            usage: llm::Usage {
                input: value.usage.input,
                cached_input: value.usage.cached_input,
                cache_write: value.usage.cache_write,
                output: value.usage.output,
                reasoning: value.usage.reasoning,
                charged: value.charged.as_u64(),
            },
        }
    }
}

impl From<Remaining> for credits::Remaining {
    fn from(value: Remaining) -> credits::Remaining {
        credits::Remaining { run: value.run.as_u64(), task: value.task.as_u64(), project: value.project.as_u64() }
    }
}

impl From<overlay::Page> for workspace::Page {
    fn from(value: overlay::Page) -> workspace::Page {
        let entries = value.entries.into_iter().map(|entry| workspace::Entry {
            path: entry.path,
            bytes: entry.bytes,
            kind: if entry.text { workspace::Kind::Text } else { workspace::Kind::Binary },
            executable: entry.executable,
        });
        workspace::Page { entries: entries.collect(), next: value.next }
    }
}

impl From<workspace::Edit> for overlay::FileEdit {
    fn from(value: workspace::Edit) -> overlay::FileEdit {
        overlay::FileEdit { path: value.path, search: value.search, replace: value.replace }
    }
}

impl From<overlay::EditFailure> for workspace::EditFailure {
    fn from(value: overlay::EditFailure) -> workspace::EditFailure {
        workspace::EditFailure { edit: value.edit, reason: value.reason, nearest: value.nearest }
    }
}

impl From<IndexAnswer> for index::Answer {
    fn from(value: IndexAnswer) -> index::Answer {
        index::Answer {
            generation: value.fresh.generation,
            pending_files: value.fresh.pending_files,
            hits: value.hits.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Hit> for index::Hit {
    fn from(value: Hit) -> index::Hit {
        index::Hit {
            path: value.path,
            first_line: value.first_line,
            last_line: value.last_line,
            name: value.name,
            text: value.text,
            score: value.score,
        }
    }
}

impl From<indexer::FileIndex> for FileIndex {
    fn from(value: indexer::FileIndex) -> FileIndex {
        let symbol = |symbol: indexer::Symbol| Symbol {
            name: line(&symbol.name, LINE_CHARS_MAX),
            kind: line(&symbol.kind, ID_CHARS_MAX),
            line: symbol.line,
        };
        let chunk = |chunk: indexer::Chunk| Chunk {
            name: line(&chunk.name, LINE_CHARS_MAX),
            kind: line(&chunk.kind, ID_CHARS_MAX),
            first_line: chunk.first_line,
            last_line: chunk.last_line,
            text: chunk.text.chars().take(CHUNK_CHARS_MAX).collect(),
        };
        FileIndex {
            chunks: value.chunks.into_iter().take(INDEX_ENTRIES_MAX).map(chunk).collect(),
            definitions: value.definitions.into_iter().take(INDEX_ENTRIES_MAX).map(symbol).collect(),
            references: value.references.into_iter().take(INDEX_ENTRIES_MAX).map(symbol).collect(),
            parse_errors: value.parse_errors.into_iter().take(PARSE_ERRORS_MAX).map(symbol).collect(),
        }
    }
}
