//! One task, from prompt to files: write, apply, ask again for what did not fit, run the checks, mend what they show. Bounded in
//! every direction; it ends with what there is and leaves the verdict to others.

use crate::prompt::{self, Job, fenced};
use crate::reply::{Changes, only_summary, read};
use atelier_sdk::implementer::Work;
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::types::{Acceptance, Check, CheckResult, Failure, Refusal, SourceFile, Status};
use atelier_sdk::words::{self, covers};
use atelier_sdk::workspace::{Edit, EditOutcome, Entry, Kind};
use std::collections::BTreeSet;

/// The longest reply: a few files of some hundred lines.
const OUTPUT_TOKENS_MAX: u32 = 16_000;
/// Turns that mend failing checks within one try; a fresh try with the reviewer's words does better than a third.
const FIX_TURNS_MAX: usize = 2;
/// Turns that ask again for edits that found no place.
const EDIT_TURNS_MAX: usize = 1;
/// Files shown whole, in characters together.
const SOURCES_CHARS_MAX: usize = 80_000;
/// A file beyond this is shown by its map alone.
const SOURCE_CHARS_MAX: usize = 24_000;
/// Definitions elsewhere.
const MAP_TOKENS: u32 = 1_000;
/// What of a failing check is shown.
const DETAIL_CHARS_MAX: usize = 2_000;
/// From this try on the stronger model works.
const STRONGER_FROM_ATTEMPT: u32 = 3;

/// The project's files and checks.
pub trait Project {
    /// All files.
    fn list(&self) -> Result<Vec<Entry>, Refusal>;
    /// One of them.
    fn read(&self, path: &str) -> Result<String, Refusal>;
    /// Writes one whole.
    fn write(&mut self, file: &SourceFile) -> Result<(), Refusal>;
    /// Changes places.
    fn edit(&mut self, edits: &[Edit]) -> Result<EditOutcome, Refusal>;
    /// Runs checks.
    fn check(&mut self, acceptance: &[Acceptance]) -> Result<Vec<CheckResult>, Refusal>;
    /// Definitions elsewhere.
    fn map(&self, near: &[String], budget_tokens: u32) -> String;
}

/// Does the task and returns what was done, and what was assumed.
pub fn implement(model: &mut dyn Model, project: &mut dyn Project, job: &Job) -> Result<Work, Failure> {
    let sources = sources(project, job).map_err(Failure::Refused)?;
    let near: Vec<String> = job.task.files.clone();
    let class = if job.attempt >= STRONGER_FROM_ATTEMPT { "planner" } else { "coder" };
    let mut talk = Conversation::new(model, class, OUTPUT_TOKENS_MAX, &prompt::rules());
    let asked = prompt::task(job, &sources, &elsewhere(&project.map(&near, MAP_TOKENS), &sources, &check_files(job)));
    let mut changes = talk.ask(&asked, |reply| read(reply).or_else(|why| only_summary(reply).ok_or(why)))?;
    if changes.files.is_empty() && changes.edits.is_empty() && changes.cut.is_none() {
        // Another task may have done it already; its checks say whether that is so.
        if all_pass(project, &job.task.acceptance) {
            return Ok(Work { summary: changes.summary, assumptions: changes.assumptions });
        }
        changes = talk.ask("The reply holds no file, and the checks do not all pass. Send the files, in the format above.", read)?;
    }
    let mut work = Work { summary: changes.summary.clone(), assumptions: changes.assumptions.clone() };
    settle(&mut talk, project, changes)?;
    for _ in 0..FIX_TURNS_MAX {
        let failing = failing(project, &job.task.acceptance);
        if failing.is_empty() {
            break;
        }
        let text =
            format!("The files are in place, but these checks fail:\n\n{}\n\nMend the files, in the same format.", failing.join("\n\n"));
        match talk.ask(&text, read) {
            Ok(changes) => {
                // A mend may decide something more; what was decided before still holds.
                let new = changes.assumptions.iter().filter(|text| !work.assumptions.contains(text));
                let new: Vec<String> = new.cloned().collect();
                work.assumptions.extend(new);
                settle(&mut talk, project, changes)?;
            }
            Err(failure) if is_final(&failure) => return Err(failure),
            // What is there may be worth judging; only the first reply is indispensable.
            Err(_) => break,
        }
    }
    Ok(work)
}

/// Applies the changes and asks again for what did not fit.
fn settle(talk: &mut Conversation<'_>, project: &mut dyn Project, changes: Changes) -> Result<(), Failure> {
    let mut problems = apply(project, changes)?;
    for _ in 0..EDIT_TURNS_MAX {
        if problems.is_empty() {
            return Ok(());
        }
        let text = format!(
            "What is not named here was applied. This was not:\n\n{}\n\nSend only that again, in the same format; where an edit does not fit, send the whole file.",
            problems.join("\n\n")
        );
        match talk.ask(&text, read) {
            Ok(changes) => problems = apply(project, changes)?,
            Err(failure) if is_final(&failure) => return Err(failure),
            Err(_) => break,
        }
    }
    Ok(())
}

/// A failure after which nothing can be asked any more, unlike a reply that can't be read or a share that is used up.
fn is_final(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(refusal) if !matches!(refusal, Refusal::BudgetExceeded(_) | Refusal::ContextTooLong))
}

/// Writes and edits; returns what the model should mend.
fn apply(project: &mut dyn Project, changes: Changes) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for file in &changes.files {
        match project.write(file) {
            Ok(()) => {}
            Err(Refusal::Denied(why) | Refusal::Invalid(why)) => problems.push(format!("{}: {why}", file.path)),
            Err(Refusal::TooLarge(limit)) => problems.push(format!("{}: more than {limit} bytes", file.path)),
            Err(refusal) => return Err(Failure::Refused(refusal)),
        }
    }
    // One file at a time, so that a path that is refused costs no other its edits.
    let paths: BTreeSet<&str> = changes.edits.iter().map(|edit| edit.path.as_str()).collect();
    for path in paths {
        let edits: Vec<Edit> = changes.edits.iter().filter(|edit| edit.path == path).cloned().collect();
        match project.edit(&edits) {
            Ok(outcome) => {
                for failure in outcome.failures {
                    let search = edits.get(failure.edit as usize).map(|edit| fenced(&edit.search)).unwrap_or_default();
                    let nearest = if failure.nearest.is_empty() {
                        String::new()
                    } else {
                        format!("\nThe nearest lines of the file:\n{}", fenced(&failure.nearest))
                    };
                    problems.push(format!("{path}: {}\nSearched for:\n{search}{nearest}", failure.reason));
                }
                problems.extend(outcome.parse_errors.iter().map(|error| format!("{path}:{}: {}", error.line, error.message)));
            }
            Err(Refusal::Denied(why) | Refusal::Invalid(why) | Refusal::NotFound(why)) => problems.push(format!("{path}: {why}")),
            Err(refusal) => return Err(Failure::Refused(refusal)),
        }
    }
    if let Some(path) = changes.cut {
        problems.push(format!("{path}: the reply was cut off within this file; send it again, shorter or in two files"));
    }
    Ok(problems)
}

/// Whether every check was run and passed.
fn all_pass(project: &mut dyn Project, acceptance: &[Acceptance]) -> bool {
    let results = project.check(acceptance).unwrap_or_default();
    !results.is_empty() && results.iter().all(|result| result.status == Status::Passed)
}

/// The failing checks, in words short enough to help. Requirements that share a failure share its words.
fn failing(project: &mut dyn Project, acceptance: &[Acceptance]) -> Vec<String> {
    // A check that can't be run here is somebody else's to judge.
    let results = project.check(acceptance).unwrap_or_default();
    let mut failures: Vec<(String, String, Vec<String>)> = Vec::new();
    for result in results.into_iter().filter(|result| result.status == Status::Failed) {
        let entry = acceptance.iter().find(|entry| entry.id == result.check);
        let what = entry.map(|entry| words::check(&entry.check)).unwrap_or_default();
        let what = what.lines().next().unwrap_or_default().trim_end_matches(", in order:").to_owned();
        match failures.iter_mut().find(|(known, detail, _)| *known == what && *detail == result.detail) {
            Some((.., requirements)) => requirements.push(result.requirement),
            None => failures.push((what, result.detail, vec![result.requirement])),
        }
    }
    failures
        .iter()
        .map(|(what, detail, requirements)| {
            let detail: String = detail.chars().take(DETAIL_CHARS_MAX).collect();
            format!("{} ({what}):\n{detail}", requirements.join(", "))
        })
        .collect()
}

/// The files that the task may write, then the others, as far as they fit. Tests are shown with their checks.
fn sources(project: &dyn Project, job: &Job) -> Result<Vec<(String, String)>, Refusal> {
    let tests = check_files(job);
    let writable = |path: &str| covers(&job.task.files, path);
    let mut entries: Vec<Entry> =
        project.list()?.into_iter().filter(|entry| entry.kind == Kind::Text && !tests.contains(&entry.path.as_str())).collect();
    // The README says what the goal says already.
    entries.retain(|entry| entry.path != "README.md" || writable(&entry.path));
    entries.sort_by_key(|entry| (!writable(&entry.path), entry.path.clone()));
    let (mut sources, mut left) = (Vec::new(), SOURCES_CHARS_MAX);
    for entry in entries {
        let text = project.read(&entry.path)?;
        let length = text.chars().count();
        if length <= left && (length <= SOURCE_CHARS_MAX || writable(&entry.path)) {
            left -= length;
            sources.push((entry.path, text));
        }
    }
    Ok(sources)
}

/// The test files of the plan, which are shown with their checks.
fn check_files(job: &Job) -> Vec<&str> {
    let checks = job.plan.tasks.iter().flat_map(|task| &task.acceptance);
    checks
        .filter_map(|entry| match &entry.check {
            Check::UnitTest(file) => Some(file.path.as_str()),
            _ => None,
        })
        .collect()
}

/// The map without what the prompt shows anyway. A file's name stands alone, its definitions are indented below it.
fn elsewhere(map: &str, sources: &[(String, String)], tests: &[&str]) -> String {
    let mut shown = true;
    let lines = map.lines().filter(|line| {
        if !line.starts_with(' ') {
            shown = *line != "README.md" && !tests.contains(line) && sources.iter().all(|(path, _)| path != line);
        }
        shown
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;
    use atelier_sdk::types::{Brief, Finding, Plan, Requirement, Task};
    use atelier_sdk::workspace::EditFailure;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Fake {
        files: BTreeMap<String, String>,
        /// Results of the checks, run by run.
        results: Vec<Status>,
        bad_edits: usize,
    }

    impl Project for Fake {
        fn list(&self) -> Result<Vec<Entry>, Refusal> {
            Ok(self
                .files
                .iter()
                .map(|(path, text)| Entry { path: path.clone(), bytes: text.len() as u64, kind: Kind::Text, executable: false })
                .collect())
        }

        fn read(&self, path: &str) -> Result<String, Refusal> {
            self.files.get(path).cloned().ok_or_else(|| Refusal::NotFound(path.into()))
        }

        fn write(&mut self, file: &SourceFile) -> Result<(), Refusal> {
            if file.path == "secret" {
                return Err(Refusal::Denied("not among the files of this task".into()));
            }
            self.files.insert(file.path.clone(), file.text.clone());
            Ok(())
        }

        fn edit(&mut self, edits: &[Edit]) -> Result<EditOutcome, Refusal> {
            let failures =
                if self.bad_edits > 0 { vec![EditFailure { edit: 0, reason: "not found".into(), nearest: "near".into() }] } else { vec![] };
            self.bad_edits = self.bad_edits.saturating_sub(1);
            if failures.is_empty() {
                self.files.insert(edits[0].path.clone(), edits[0].replace.clone());
            }
            Ok(EditOutcome { failures, parse_errors: vec![] })
        }

        fn check(&mut self, acceptance: &[Acceptance]) -> Result<Vec<CheckResult>, Refusal> {
            let status = if self.results.is_empty() { Status::NotRun } else { self.results.remove(0) };
            Ok(acceptance
                .iter()
                .map(|entry| CheckResult { check: entry.id.clone(), requirement: "R1".into(), status, detail: "boom".into() })
                .collect())
        }

        fn map(&self, _near: &[String], _budget_tokens: u32) -> String {
            String::new()
        }
    }

    fn job(attempt: u32, findings: Vec<Finding>) -> Job {
        let task = Task {
            id: "T1".into(),
            title: "Build".into(),
            description: "build it".into(),
            depends_on: vec![],
            files: vec!["a.py".into()],
            acceptance: vec![Acceptance { id: "C1".into(), requirement: "R1".into(), check: Check::FilePresent("a.py".into()) }],
        };
        Job {
            brief: Brief {
                title: "T".into(),
                summary: "S".into(),
                language: "python".into(),
                requirements: vec![Requirement { id: "R1".into(), text: "must hold".into(), prerequisites: vec![] }],
            },
            plan: Plan { tasks: vec![task.clone()], run_command: "python3 a.py".into(), design: "one file".into() },
            task,
            attempt,
            findings,
            accepted: vec![],
        }
    }

    const GOOD: &str = "summary: wrote a\na.py\n````\nx = 1\n````";

    #[test]
    fn one_good_reply_is_one_call() {
        let (mut model, mut project) = (Scripted::new(&[GOOD]), Fake::default());
        let work = implement(&mut model, &mut project, &job(1, vec![])).expect("work");
        assert_eq!((work.summary.as_str(), work.assumptions.len()), ("wrote a", 0));
        assert_eq!(project.files["a.py"], "x = 1\n");
        assert_eq!((model.requests.len(), model.requests[0].class.as_str()), (1, "coder"));
    }

    #[test]
    fn a_prompt_holds_goal_state_task_and_findings_and_no_open_name() {
        let (mut model, mut project) = (Scripted::new(&[GOOD]), Fake::default());
        let findings = vec![Finding { path: "a.py".into(), line: 3, message: "wrong".into(), requirement: Some("R1".into()) }];
        implement(&mut model, &mut project, &job(2, findings)).expect("a summary");
        let text = &model.requests[0].messages[1].text;
        for part in ["must hold", "- now: Build", "build it", "the file a.py is there", "a.py:3: R1: wrong"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("{{") && !model.requests[0].messages[0].text.contains("{{"));
    }

    #[test]
    fn what_was_assumed_is_told_and_a_mend_adds_to_it() {
        let first = "summary: wrote a\nassumption: empty input is no error\na.py\n````\nx = 1\n````";
        let mend = "summary: mended\nassumption: empty input is no error\nassumption: names are sorted\na.py\n````\nx = 2\n````";
        let results = vec![Status::Failed, Status::Passed];
        let (mut model, mut project) = (Scripted::new(&[first, mend]), Fake { results, ..Fake::default() });
        let work = implement(&mut model, &mut project, &job(1, vec![])).expect("work");
        assert_eq!(work.assumptions, ["empty input is no error", "names are sorted"]);
    }

    #[test]
    fn failing_checks_are_shown_and_mended_at_most_twice() {
        let failed = [Status::Failed, Status::Failed, Status::Failed, Status::Failed].to_vec();
        let (mut model, mut project) = (Scripted::new(&[GOOD, GOOD, GOOD, GOOD]), Fake { results: failed, ..Fake::default() });
        implement(&mut model, &mut project, &job(1, vec![])).expect("a summary");
        assert_eq!(model.requests.len(), 3);
        assert!(model.requests[1].messages.last().expect("a message").text.contains("boom"));
    }

    #[test]
    fn only_what_did_not_fit_is_asked_for_again() {
        let edit = "a.py\n````edit\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n````";
        let (mut model, mut project) = (Scripted::new(&[edit, GOOD]), Fake { bad_edits: 1, ..Fake::default() });
        implement(&mut model, &mut project, &job(1, vec![])).expect("a summary");
        let asked = &model.requests[1].messages.last().expect("a message").text;
        assert!(asked.contains("not found") && asked.contains("near") && asked.contains("old"));
        assert_eq!(project.files["a.py"], "x = 1\n");
    }

    #[test]
    fn a_file_outside_the_task_is_named_and_the_others_stay() {
        let reply = "a.py\n````\nx\n````\nsecret\n````\ny\n````".replace("secret", "./secret");
        let (mut model, mut project) = (Scripted::new(&[&reply, GOOD]), Fake::default());
        implement(&mut model, &mut project, &job(1, vec![])).expect("a summary");
        assert!(model.requests[1].messages.last().expect("a message").text.contains("not among the files"));
    }

    #[test]
    fn the_map_leaves_out_what_is_shown() {
        let sources = [("a.py".to_owned(), String::new())];
        assert_eq!(elsewhere("a.py\n  1: function x\nb.py\n  2: class y\nt.py\n  3: class z", &sources, &["t.py"]), "b.py\n  2: class y");
    }

    #[test]
    fn the_third_try_goes_to_the_stronger_model() {
        let (mut model, mut project) = (Scripted::new(&[GOOD]), Fake::default());
        implement(&mut model, &mut project, &job(3, vec![])).expect("a summary");
        assert_eq!(model.requests[0].class, "planner");
    }
}
