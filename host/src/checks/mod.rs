//! Runs the acceptance checks of a task on a set of files. What has no runner here is reported as not run, with the reason; it is
//! never taken for passed.

use crate::project::{Acceptance, Check, CheckResult, CheckStatus};
use crate::workspace::Files;
use crate::workspace::path::ProjectPath;

/// Languages whose code this host can execute checks for.
pub fn languages() -> Vec<String> {
    Vec::new()
}

/// The result of each check, in order.
pub fn run(files: &Files, acceptance: &[Acceptance]) -> Vec<CheckResult> {
    acceptance
        .iter()
        .map(|acceptance| {
            let (status, detail) = run_one(files, &acceptance.check);
            CheckResult { check: acceptance.id.clone(), requirement: acceptance.requirement.clone(), status, detail }
        })
        .collect()
}

fn run_one(files: &Files, check: &Check) -> (CheckStatus, String) {
    match check {
        Check::FilePresent(path) => match ProjectPath::parse(path).ok().and_then(|path| files.get(&path)) {
            Some(_) => (CheckStatus::Passed, format!("`{path}` is there")),
            None => (CheckStatus::Failed, format!("`{path}` is missing")),
        },
        Check::UnitTest(file) => not_run(&format!("no runner for {}", language_of(&file.path))),
        Check::Command(steps) => {
            let program = steps.first().and_then(|step| step.arguments.first()).map_or("an empty command", String::as_str);
            not_run(&format!("no runner for {program}"))
        }
        Check::Parses(paths) => not_run(&format!("no parser for {}", paths.first().map_or("nothing", |path| language_of(path)))),
        Check::Judgement(reason) => not_run(reason),
    }
}

fn not_run(why: &str) -> (CheckStatus, String) {
    (CheckStatus::NotRun, why.to_owned())
}

fn language_of(path: &str) -> &str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "py" => "python",
        "js" | "mjs" | "cjs" => "javascript",
        "ts" => "typescript",
        "rs" => "rust",
        "go" => "go",
        "" => "files without an ending",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::File;

    #[test]
    fn a_check_without_a_runner_is_not_run_and_never_passed() {
        let file = crate::project::SourceFile { path: "test_a.py".into(), text: String::new() };
        let acceptance = Acceptance { id: "C1".into(), requirement: "R1".into(), check: Check::UnitTest(file) };
        let results = run(&Files::new(), &[acceptance]);
        assert_eq!((results[0].status, results[0].detail.as_str()), (CheckStatus::NotRun, "no runner for python"));
    }

    #[test]
    fn a_file_is_there_or_missing() {
        let path = ProjectPath::parse("a.txt").expect("a path");
        let files = Files::from([(path, File { bytes: Vec::new().into(), executable: false })]);
        let check = |path: &str| run_one(&files, &Check::FilePresent(path.into())).0;
        assert_eq!((check("a.txt"), check("b.txt"), check("../a.txt")), (CheckStatus::Passed, CheckStatus::Failed, CheckStatus::Failed));
    }
}
