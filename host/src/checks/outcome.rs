//! What a runner reports, in the host's words.

use serde::{Deserialize, Serialize};

/// A file that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntaxProblem {
    /// The file.
    pub path: String,
    /// From 1, or 0.
    pub line: u32,
    /// What the parser said.
    pub message: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestStatus {
    /// Its asserts held.
    Passed,
    /// One did not.
    Failed,
    /// It did not come so far.
    Errored,
    /// It was left out.
    Skipped,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestOutcome {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: TestStatus,
    /// What helps.
    pub detail: String,
}

/// What a test file did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestRun {
    /// In the order of the file.
    pub tests: Vec<TestOutcome>,
    /// What was printed.
    pub stdout: String,
    /// What was printed there.
    pub stderr: String,
    /// Why the whole file counts as failed.
    pub problem: Option<String>,
}

/// What a command line did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandOutcome {
    /// How it ended.
    pub exit_code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it printed there.
    pub stderr: String,
}
