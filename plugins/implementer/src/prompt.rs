//! The prompt: the goal, the state of the job, the task with its checks, and only the files that matter.

use atelier_sdk::fences::around;
use atelier_sdk::job::AcceptedTask;
use atelier_sdk::template::fill;
use atelier_sdk::types::{Acceptance, Brief, Check, Finding, Plan, Task};
use atelier_sdk::words;

/// Files up to this length are written whole; longer ones are edited.
pub const WHOLE_FILE_LINES: usize = 100;

/// Everything that a task needs to be understood.
pub struct Job {
    /// The goal.
    pub brief: Brief,
    /// The whole plan.
    pub plan: Plan,
    /// What to do.
    pub task: Task,
    /// Which try this is.
    pub attempt: u32,
    /// Why the last one was rejected.
    pub findings: Vec<Finding>,
    /// What was done before.
    pub accepted: Vec<AcceptedTask>,
}

/// The rules, which are the same for every task.
pub fn rules() -> String {
    fill(include_str!("../prompts/implement.md"), &[("whole_file_lines", &WHOLE_FILE_LINES.to_string())])
}

/// The task. `sources` are files with their text; `map` lists definitions elsewhere.
pub fn task(job: &Job, sources: &[(String, String)], map: &str) -> String {
    let list = |lines: Vec<String>| if lines.is_empty() { "(none)".to_owned() } else { lines.join("\n") };
    let requirements = job.brief.requirements.iter().map(|entry| format!("- {}: {}", entry.id, entry.text)).collect();
    let sources = sources.iter().map(|(path, text)| format!("{path}\n{}", fenced(text))).collect::<Vec<_>>();
    let findings = match job.findings.as_slice() {
        [] => String::new(),
        findings => format!(
            "# Why the last try was rejected\n\nThe files above are those of the last try. Mend this:\n\n{}",
            findings.iter().map(finding).collect::<Vec<_>>().join("\n")
        ),
    };
    fill(
        include_str!("../prompts/task.md"),
        &[
            ("title", &job.brief.title),
            ("summary", &job.brief.summary),
            ("requirements", &list(requirements)),
            ("design", &job.plan.design),
            ("run", &job.plan.run_command),
            ("progress", &progress(job)),
            ("task", &job.task.title),
            ("description", &job.task.description),
            ("files", &job.task.files.join(", ")),
            ("checks", &checks(&job.task.acceptance)),
            ("sources", &list(sources)),
            ("map", if map.is_empty() { "(nothing else)" } else { map }),
            ("findings", &findings),
        ],
    )
    .trim_end()
    .to_owned()
}

fn progress(job: &Job) -> String {
    let line = |task: &Task| {
        let done = job.accepted.iter().find(|accepted| accepted.id == task.id);
        match done {
            Some(accepted) if accepted.summary.eq_ignore_ascii_case(&task.title) => format!("- done: {}", task.title),
            Some(accepted) => format!("- done: {} ({})", task.title, accepted.summary),
            None if task.id == job.task.id => format!("- now: {}", task.title),
            None => format!("- later: {}", task.title),
        }
    };
    job.plan.tasks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The checks in words. A test file that serves several requirements is shown once.
fn checks(acceptance: &[Acceptance]) -> String {
    let mut shown: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for entry in acceptance {
        let text = match &entry.check {
            Check::UnitTest(file) if shown.contains(&file.path.as_str()) => format!("{}, as above", words::check(&entry.check)),
            Check::UnitTest(file) => {
                shown.push(&file.path);
                format!("{}:\n{}", words::check(&entry.check), fenced(&file.text))
            }
            check => words::check(check),
        };
        out.push(format!("- {}: {text}", entry.requirement));
    }
    out.join("\n")
}

/// One line about a fault.
pub fn finding(finding: &Finding) -> String {
    let place = match (finding.path.as_str(), finding.line) {
        ("", _) => String::new(),
        (path, 0) => format!("{path}: "),
        (path, line) => format!("{path}:{line}: "),
    };
    let requirement = finding.requirement.as_deref().map(|id| format!("{id}: ")).unwrap_or_default();
    format!("- {place}{requirement}{}", finding.message)
}

/// A text between fences that it can't break out of.
pub fn fenced(text: &str) -> String {
    let fence = around(text);
    format!("{fence}\n{}\n{fence}", text.trim_end_matches('\n'))
}
