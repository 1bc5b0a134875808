//! What is known without asking anybody: requirements, tasks, checks and what came of them. No model writes these, so none can be wrong about
//! them.

use crate::diagram::node;
use atelier_sdk::fences::around;
use atelier_sdk::job::AcceptedTask;
use atelier_sdk::types::{Acceptance, Brief, Check, CheckResult, CommandStep, Matching, Plan, Requirement, Status, Task};
use atelier_sdk::words;
use std::collections::BTreeSet;

/// Of what a check said.
const DETAIL_CHARS_MAX: usize = 300;
/// Examples of the manual; more are in the test plan.
const EXAMPLES_MAX: usize = 8;

/// What the documents are about.
pub struct Job {
    /// What was wanted.
    pub brief: Brief,
    /// How it was built.
    pub plan: Plan,
    /// Where documents may be written.
    pub task: Task,
    /// What the checks did on the finished whole.
    pub results: Vec<CheckResult>,
    /// What was built.
    pub accepted: Vec<AcceptedTask>,
}

impl Job {
    fn checks(&self) -> impl Iterator<Item = &Acceptance> {
        self.plan.tasks.iter().flat_map(|task| &task.acceptance)
    }

    fn result(&self, check: &str) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.check == check)
    }

    /// What its checks did, for a requirement; what may be claimed of it is the report's to say.
    fn shown(&self, requirement: &str) -> String {
        let of = |status| self.results.iter().filter(|result| result.requirement == requirement && result.status == status).count();
        let parts = [(of(Status::Passed), "passed"), (of(Status::Failed), "failed"), (of(Status::NotRun), "not run")];
        let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }

    fn builders(&self, requirement: &str) -> Vec<&Task> {
        self.plan.tasks.iter().filter(|task| task.acceptance.iter().any(|entry| entry.requirement == requirement)).collect()
    }
}

/// `requirements.md`
pub fn requirements(job: &Job) -> String {
    let brief = &job.brief;
    let mut out = format!("# Requirements: {}\n\n{}\n\n", brief.title, brief.summary);
    out.push_str("| | requirement | needs | built by | checks |\n| --- | --- | --- | --- | --- |\n");
    for requirement in &brief.requirements {
        let builders: Vec<&str> = job.builders(&requirement.id).iter().map(|task| task.id.as_str()).collect();
        let (needs, checks) = (requirement.prerequisites.join(", "), job.shown(&requirement.id));
        out.push_str(&format!("| {} | {} | {needs} | {} | {checks} |\n", requirement.id, cell(&requirement.text), builders.join(", ")));
    }
    out.push_str(
        "\nWhat each check did is in [test_plan.md](test_plan.md); what may be claimed of a requirement is in the delivery's REPORT.md.\n",
    );
    out.push_str("\n## Which task builds what\n\n```mermaid\nflowchart LR\n");
    let label = |requirement: &Requirement| format!("{}: {}", requirement.id, requirement.text);
    out.extend(brief.requirements.iter().map(|entry| format!("  {}\n", node(&entry.id, &label(entry)))));
    out.extend(job.plan.tasks.iter().map(|task| format!("  {}\n", node(&task.id, &format!("{}: {}", task.id, task.title)))));
    for requirement in &brief.requirements {
        out.extend(job.builders(&requirement.id).iter().map(|task| format!("  {} --> {}\n", plain(&requirement.id), plain(&task.id))));
    }
    out.push_str("```\n");
    out
}

/// `test_plan.md`
pub fn test_plan(job: &Job) -> String {
    let mut out = format!("# Test plan: {}\n\n", job.brief.title);
    out.push_str("The checks were written from the requirements, before any code. This is what they did on the finished whole.\n\n");
    out.push_str("| | requirement | what is done | result |\n| --- | --- | --- | --- |\n");
    for entry in job.checks() {
        let what = words::check(&entry.check);
        let first = what.lines().next().unwrap_or_default().trim_end_matches(", in order:");
        let result = match job.result(&entry.id) {
            Some(result) if result.status == Status::Passed => "passed".to_owned(),
            Some(result) if result.status == Status::Failed => format!("**failed**: {}", short(&result.detail)),
            Some(result) => format!("not run: {}", short(&result.detail)),
            None => "not run".to_owned(),
        };
        out.push_str(&format!("| {} | {} | {} | {} |\n", entry.id, entry.requirement, cell(first), cell(&result)));
    }
    let files: BTreeSet<&str> = job.checks().filter_map(|entry| test_file(&entry.check)).collect();
    let runs: Vec<String> = files.iter().filter_map(|path| how_to_run(path)).collect();
    if !runs.is_empty() {
        out.push_str(&format!("\n## Running the test files\n\nIn the project's folder:\n\n```sh\n{}\n```\n", runs.join("\n")));
    }
    let commands: Vec<&Acceptance> = job.checks().filter(|entry| matches!(entry.check, Check::Command(_))).collect();
    if !commands.is_empty() {
        out.push_str("\n## Commands, step by step\n");
        for entry in commands {
            out.push_str(&format!("\n### {} ({})\n\n{}", entry.id, entry.requirement, steps(&entry.check)));
        }
    }
    let open: Vec<String> = job
        .checks()
        .filter_map(|entry| match &entry.check {
            Check::Judgement(reason) => Some(format!("- {}: {reason}\n", entry.requirement)),
            _ => None,
        })
        .collect();
    if !open.is_empty() {
        out.push_str(&format!("\n## What no program can decide\n\nTo be looked at by a person:\n\n{}", open.concat()));
    }
    out
}

/// The end of `design.md`: the tasks that it was built by, and how they depend on each other.
pub fn tasks(job: &Job) -> String {
    let mut out = "## How it was built\n\n| | task | files | what was done |\n| --- | --- | --- | --- |\n".to_owned();
    for task in &job.plan.tasks {
        let done = job.accepted.iter().find(|accepted| accepted.id == task.id);
        let done = done.map_or_else(|| "not done".to_owned(), |accepted| cell(&accepted.summary));
        out.push_str(&format!("| {} | {} | {} | {done} |\n", task.id, cell(&task.title), cell(&task.files.join(", "))));
    }
    if job.plan.tasks.iter().any(|task| !task.depends_on.is_empty()) {
        out.push_str("\n```mermaid\nflowchart LR\n");
        out.extend(job.plan.tasks.iter().map(|task| format!("  {}\n", node(&task.id, &format!("{}: {}", task.id, task.title)))));
        for task in &job.plan.tasks {
            out.extend(task.depends_on.iter().map(|needed| format!("  {} --> {}\n", plain(needed), plain(&task.id))));
        }
        out.push_str("```\n");
    }
    out
}

/// The end of `user_manual.md`: what was run, and came out as it says.
pub fn examples(job: &Job) -> String {
    let passed = |entry: &&Acceptance| {
        matches!(entry.check, Check::Command(_)) && job.result(&entry.id).is_some_and(|result| result.status == Status::Passed)
    };
    let examples: Vec<String> = job
        .checks()
        .filter(passed)
        .take(EXAMPLES_MAX)
        .map(|entry| {
            let requirement = job.brief.requirements.iter().find(|requirement| requirement.id == entry.requirement);
            let text = requirement.map_or(entry.requirement.as_str(), |requirement| requirement.text.as_str());
            format!("\n{text} ({})\n\n{}", entry.requirement, steps(&entry.check))
        })
        .collect();
    if examples.is_empty() {
        return String::new();
    }
    format!("## Examples\n\nEach of these was run on the delivered files, and came out as it says.\n{}", examples.concat())
}

/// The command lines of a check as a person types them, with what they read and print.
fn steps(check: &Check) -> String {
    let Check::Command(steps) = check else { return String::new() };
    steps.iter().map(step).collect::<Vec<_>>().join("\n")
}

fn step(step: &CommandStep) -> String {
    let block = |lead: &str, text: &str| {
        let fence = fence(text);
        format!("{lead}\n\n{fence}\n{}\n{fence}\n", text.trim_end_matches('\n'))
    };
    let mut out = block("Command:", &step.arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
    if !step.stdin.is_empty() {
        out.push_str(&format!("\n{}", block("It reads:", &step.stdin)));
    }
    let printed = match &step.stdout {
        Matching::Exact(text) if text.is_empty() => "It prints nothing.\n".to_owned(),
        Matching::Exact(text) => block("It prints:", text),
        Matching::Contains(text) => block("Its output has:", text),
        Matching::Pattern(text) => block("Its output matches:", text),
        Matching::Anything => String::new(),
    };
    if !printed.is_empty() {
        out.push_str(&format!("\n{printed}"));
    }
    if step.exit_code != 0 {
        out.push_str(&format!("\nIt ends with exit code {}.\n", step.exit_code));
    }
    out
}

/// The usual fence, or a longer one where the text has fences of its own.
pub fn fence(text: &str) -> String {
    let around = around(text);
    if around.len() == 4 && !text.contains("```") { "```".to_owned() } else { around }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn test_file(check: &Check) -> Option<&str> {
    match check {
        Check::UnitTest(file) => Some(&file.path),
        _ => None,
    }
}

fn how_to_run(path: &str) -> Option<String> {
    match path.rsplit_once('.')?.1 {
        "py" => Some(format!("python3 -m unittest {}", quoted(path))),
        "js" | "mjs" | "cjs" => Some(format!("node --test {}", quoted(path))),
        _ => None,
    }
}

/// An id as a diagram's node.
pub fn plain(id: &str) -> String {
    id.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Text that stays within its table cell.
fn cell(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn short(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(DETAIL_CHARS_MAX).collect()
}
