//! Judges a task. A check that failed decides without a model call; what no check could decide is read, by a reviewer who sees
//! requirements, files and results, and never the implementer's words.

use atelier_sdk::fences::{around, field};
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::types::{Brief, Check, CheckResult, Failure, Finding, Plan, Refusal, Status, Task, Verdict};
use atelier_sdk::words::{self, covers};
use atelier_sdk::workspace::{Entry, Kind};

/// Files are shown up to this size each; what is longer is cut in the middle.
const FILE_CHARS_MAX: usize = 24_000;
/// All files together.
const FILES_CHARS_MAX: usize = 120_000;
/// A verdict is short.
const OUTPUT_TOKENS_MAX: u32 = 2_000;

/// What a reviewer is given.
pub struct Review {
    /// The goal.
    pub brief: Brief,
    /// The whole plan.
    pub plan: Plan,
    /// The task to judge.
    pub task: Task,
    /// What its checks did.
    pub results: Vec<CheckResult>,
    /// Why the last try was rejected.
    pub findings: Vec<Finding>,
}

/// The files, to be read.
pub trait Files {
    /// All of them.
    fn list(&self) -> Result<Vec<Entry>, Refusal>;
    /// One of them.
    fn read(&self, path: &str) -> Result<String, Refusal>;
}

/// Accepts or rejects.
pub fn verify(model: &mut dyn Model, files: &dyn Files, review: &Review) -> Result<Verdict, Failure> {
    let failed: Vec<Finding> = review
        .results
        .iter()
        .filter(|result| result.status == Status::Failed)
        .map(|result| Finding {
            path: String::new(),
            line: 0,
            message: format!("check {} failed: {}", result.check, result.detail),
            requirement: Some(result.requirement.clone()),
        })
        .collect();
    if !failed.is_empty() {
        return Ok(Verdict::Rejected(failed));
    }
    let mut talk = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, include_str!("../prompts/verify.md"));
    talk.ask(&opening(files, review).map_err(Failure::Refused)?, read)
}

fn opening(files: &dyn Files, review: &Review) -> Result<String, Refusal> {
    let Review { brief, plan, task, results, .. } = review;
    let mut text = format!("# The goal\n\n{}: {}\n\nDesign: {}\n\n", brief.title, brief.summary, plan.design);
    text.push_str(&format!("# The task\n\n{}\n\n{}\n\nIts files: {}\n\n", task.title, task.description, task.files.join(", ")));
    text.push_str("# Its requirements\n\n");
    for requirement in brief.requirements.iter().filter(|entry| task.acceptance.iter().any(|check| check.requirement == entry.id)) {
        text.push_str(&format!("{}: {}\n", requirement.id, requirement.text));
    }
    let later: Vec<&Task> = plan.tasks.iter().skip_while(|entry| entry.id != task.id).skip(1).collect();
    if !later.is_empty() {
        text.push_str("\nLater tasks, which may finish a requirement that this one begins:\n");
        text.extend(later.iter().map(|task| format!("- {} ({})\n", task.title, task.files.join(", "))));
    }
    text.push_str("\n# Its checks\n\n");
    text.push_str(&checks(task, results));
    if !review.findings.is_empty() {
        text.push_str("\n# The last try was rejected for this; see whether it is mended\n\n");
        text.extend(review.findings.iter().map(|finding| format!("- {} {}\n", finding.path, finding.message)));
    }
    text.push_str("\n# The files\n\n");
    text.push_str(&sources(files, review)?);
    Ok(text)
}

/// The checks with what they did. Requirements that share a check share its line.
fn checks(task: &Task, results: &[CheckResult]) -> String {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for entry in &task.acceptance {
        let result = results.iter().find(|result| result.check == entry.id);
        let status = match (&entry.check, result) {
            (Check::Judgement(_), _) => String::new(),
            (_, Some(CheckResult { status: Status::Passed, detail, .. })) => format!("passed ({detail}): "),
            (_, Some(CheckResult { status: Status::Failed, detail, .. })) => format!("failed ({detail}): "),
            (_, result) => format!("not run ({}): ", result.map_or("", |result| result.detail.as_str())),
        };
        let line = format!("{status}{}", words::check(&entry.check));
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, requirements)) => requirements.push(&entry.requirement),
            None => lines.push((line, vec![&entry.requirement])),
        }
    }
    lines.iter().map(|(line, requirements)| format!("- {}: {line}\n", requirements.join(", "))).collect()
}

/// The task's own files and tests, then the rest of the code. Tests of other tasks and the generated README say nothing here.
fn sources(files: &dyn Files, review: &Review) -> Result<String, Refusal> {
    let own = |path: &str| covers(&review.task.files, path) || tests(&review.task).any(|test| test == path);
    let others = |path: &str| path != "README.md" && !review.plan.tasks.iter().any(|task| tests(task).any(|test| test == path));
    let mut entries = files.list()?;
    entries.retain(|entry| entry.kind == Kind::Text && (own(&entry.path) || others(&entry.path)));
    entries.sort_by_key(|entry| (!own(&entry.path), entry.path.clone()));
    let (mut text, mut left) = (String::new(), FILES_CHARS_MAX);
    for entry in entries {
        let content = shorten(&files.read(&entry.path)?, FILE_CHARS_MAX.min(left));
        left -= content.len().min(left);
        let fence = around(&content);
        text.push_str(&format!("{}\n{fence}\n{content}\n{fence}\n\n", entry.path));
    }
    Ok(text)
}

fn tests(task: &Task) -> impl Iterator<Item = &str> {
    task.acceptance.iter().filter_map(|entry| match &entry.check {
        Check::UnitTest(file) => Some(file.path.as_str()),
        _ => None,
    })
}

/// The beginning and the end of a long text.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= limit {
        return text.trim_end_matches('\n').to_owned();
    }
    let half = limit / 2;
    let (start, end): (String, String) = (letters[..half].iter().collect(), letters[letters.len() - half..].iter().collect());
    format!("{start}\n[… {} characters left out …]\n{end}", letters.len() - 2 * half)
}

fn read(reply: &str) -> Result<Verdict, String> {
    let mut lines = reply.lines().skip_while(|line| line.trim().is_empty() || line.trim_start().starts_with("```"));
    let first = lines.next().unwrap_or_default();
    if let Some(reason) = field(first, "accept") {
        return Ok(Verdict::Accepted(reason.to_owned()));
    }
    let Some(rest) = field(first, "reject") else {
        return Err("the first line is neither `accept: …` nor `reject:`".to_owned());
    };
    let mut findings: Vec<Finding> = lines.filter_map(|line| line.trim().strip_prefix("- ")).map(finding).collect();
    if findings.is_empty() && !rest.is_empty() {
        findings.push(finding(rest));
    }
    match findings.is_empty() {
        true => Err("a rejection needs at least one finding".to_owned()),
        false => Ok(Verdict::Rejected(findings)),
    }
}

/// `path:12 R1 message`, each part but the message optional.
fn finding(text: &str) -> Finding {
    let mut rest = text.trim();
    let (mut path, mut line, mut requirement) = (String::new(), 0, None);
    if let Some((word, after)) = rest.split_once(' ') {
        let word = word.trim_matches(['`', ':']);
        let (name, number) = word.rsplit_once(':').unwrap_or((word, "0"));
        if name.contains('.') || name.contains('/') {
            (path, line, rest) = (name.to_owned(), number.parse().unwrap_or(0), after.trim());
        }
    }
    if let Some((word, after)) = rest.split_once(' ') {
        let word = word.trim_matches(['[', ']', ':', '(', ')']);
        if word.strip_prefix('R').is_some_and(|number| !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit())) {
            (requirement, rest) = (Some(word.to_owned()), after.trim());
        }
    }
    Finding { path, line, message: rest.to_owned(), requirement }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;
    use atelier_sdk::types::{Acceptance, Requirement};

    struct Two;

    impl Files for Two {
        fn list(&self) -> Result<Vec<Entry>, Refusal> {
            let entry = |path: &str, kind| Entry { path: path.into(), bytes: 1, kind, executable: false };
            Ok(vec![entry("README.md", Kind::Text), entry("a.py", Kind::Text), entry("b.png", Kind::Binary), entry("c.py", Kind::Text)])
        }

        fn read(&self, path: &str) -> Result<String, Refusal> {
            Ok(format!("text of {path}\n"))
        }
    }

    fn review(status: Status) -> Review {
        let acceptance = vec![Acceptance { id: "C1".into(), requirement: "R1".into(), check: Check::FilePresent("a.py".into()) }];
        Review {
            brief: Brief {
                title: "T".into(),
                summary: "S".into(),
                language: "python".into(),
                requirements: vec![Requirement { id: "R1".into(), text: "must hold".into(), prerequisites: vec![] }],
            },
            plan: Plan { tasks: vec![], run_command: "r".into(), design: "d".into() },
            task: Task {
                id: "T1".into(),
                title: "t".into(),
                description: "d".into(),
                depends_on: vec![],
                files: vec!["a.py".into()],
                acceptance,
            },
            results: vec![CheckResult { check: "C1".into(), requirement: "R1".into(), status, detail: "why".into() }],
            findings: vec![Finding { path: "a.py".into(), line: 0, message: "was wrong".into(), requirement: None }],
        }
    }

    #[test]
    fn a_failed_check_decides_without_a_model_call() {
        let mut model = Scripted::default();
        let verdict = verify(&mut model, &Two, &review(Status::Failed)).expect("a verdict");
        assert!(matches!(verdict, Verdict::Rejected(findings) if findings[0].message.contains("C1 failed: why")));
        assert!(model.requests.is_empty());
    }

    #[test]
    fn the_reviewer_sees_requirement_result_and_files() {
        let mut model = Scripted::new(&["accept: it holds"]);
        assert_eq!(verify(&mut model, &Two, &review(Status::Passed)), Ok(Verdict::Accepted("it holds".into())));
        let shown = &model.requests[0].messages[1].text;
        assert!(
            shown.contains("R1: must hold") && shown.contains("passed (why)") && shown.contains("text of a.py") && !shown.contains("b.png")
        );
        assert!(shown.contains("text of c.py") && !shown.contains("README"), "code, but not what was made from the brief");
        assert!(shown.contains("- a.py was wrong"), "the last rejection");
    }

    #[test]
    fn findings_name_file_line_and_requirement() {
        let reply = "reject:\n- src/a.py:12 R1 it fails\n- `b.py`: wrong name\n- no path here";
        let Ok(Verdict::Rejected(findings)) = read(reply) else { panic!("a rejection") };
        let shown: Vec<_> =
            findings.iter().map(|entry| (entry.path.as_str(), entry.line, entry.requirement.as_deref(), entry.message.as_str())).collect();
        assert_eq!(shown, [("src/a.py", 12, Some("R1"), "it fails"), ("b.py", 0, None, "wrong name"), ("", 0, None, "no path here")]);
    }

    #[test]
    fn anything_else_is_no_verdict() {
        assert!(read("looks good").is_err());
        assert!(read("reject:").is_err());
    }
}
