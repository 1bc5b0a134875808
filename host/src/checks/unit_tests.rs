//! Judges a test file. The runner says what each test did; the host counts: every test that the source names must have passed, or
//! the file has not. So a program that ends early, removes tests or prints a summary of its own gains nothing.

use super::Seen;
use super::outcome::{TestOutcome, TestRun, TestStatus};
use crate::plugins::runner::Runner;
use crate::project::{CheckStatus, SourceFile};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files};
use std::collections::BTreeMap;

/// Failing tests that are told in full.
const FAILURES_TOLD_MAX: usize = 3;
/// Of what a failing file printed.
const OUTPUT_CHARS_MAX: usize = 400;

/// Which tests of a file passed, by name. Where the file as a whole failed, none did.
pub(super) async fn outcomes(runner: &Runner, files: &Files, test: &SourceFile) -> Result<BTreeMap<String, bool>, String> {
    let files = with_test(files, test).ok_or_else(|| format!("`{}` is no path of a project", test.path))?;
    let listed = runner.list_tests(test).await.map_err(|contained| contained.0)??;
    let run = runner.run_tests(&files, &test.path).await.map_err(|contained| contained.0)?;
    let passed = |name: &String| run.problem.is_none() && verdict(std::slice::from_ref(name), &run).status == CheckStatus::Passed;
    Ok(listed.iter().map(|name| (name.clone(), passed(name))).collect())
}

/// The files with the test as the plan has it, whatever they hold under that name.
fn with_test(files: &Files, test: &SourceFile) -> Option<Files> {
    let mut files = files.clone();
    files.insert(ProjectPath::parse(&test.path).ok()?, File { bytes: test.text.clone().into_bytes().into(), executable: false });
    Some(files)
}

pub(super) async fn judge(runner: &Runner, files: &Files, test: &SourceFile) -> Seen {
    let Some(files) = with_test(files, test) else { return Seen::failed(format!("`{}` is no path of a project", test.path)) };
    let listed = match runner.list_tests(test).await {
        Ok(Ok(listed)) if listed.is_empty() => return Seen::not_run(format!("`{}` holds no test", test.path)),
        Ok(Ok(listed)) => listed,
        Ok(Err(why)) => return Seen::not_run(format!("`{}` can't be read: {why}", test.path)),
        Err(contained) => return Seen::not_run(format!("`{}` can't be read: {contained}", test.path)),
    };
    let command = format!("{} {}", runner.executes.languages.first().map_or("test", String::as_str), test.path);
    match runner.run_tests(&files, &test.path).await {
        Ok(run) => {
            let seen = verdict(&listed, &run);
            let outcomes: Vec<_> = run.tests.iter().map(|test| (&test.name, test.status)).collect();
            seen.by(runner, command, &(listed, outcomes, &run.problem))
        }
        Err(contained) => {
            let seen = Seen::failed(format!("the tests did not come to an end: {contained}"));
            seen.by(runner, command, &(listed, contained.0))
        }
    }
}

fn verdict(listed: &[String], run: &TestRun) -> Seen {
    let mut passed = 0;
    let mut skipped = 0;
    let mut failures: Vec<String> = run.problem.iter().cloned().collect();
    for name in listed {
        let mut outcomes = run.tests.iter().filter(|test| test.name == *name);
        match (outcomes.next(), outcomes.next()) {
            (None, _) => failures.push(format!("{name}: it did not run")),
            (Some(_), Some(_)) => failures.push(format!("{name}: it was reported twice")),
            (Some(TestOutcome { status: TestStatus::Passed, .. }), None) => passed += 1,
            (Some(TestOutcome { status: TestStatus::Skipped, .. }), None) => skipped += 1,
            (Some(TestOutcome { status, detail, .. }), None) => {
                let word = if *status == TestStatus::Failed { "failed" } else { "error" };
                failures.push(format!("{name} {word}: {}", detail.trim()));
            }
        }
    }
    let total = listed.len();
    if !failures.is_empty() {
        let more = failures.len().saturating_sub(FAILURES_TOLD_MAX);
        failures.truncate(FAILURES_TOLD_MAX);
        let mut text = format!("{passed} of {total} tests passed\n{}", failures.join("\n"));
        if more > 0 {
            text.push_str(&format!("\nand {more} more"));
        }
        let printed: String = run.stderr.chars().chain(run.stdout.chars()).take(OUTPUT_CHARS_MAX).collect();
        if !printed.trim().is_empty() {
            text.push_str(&format!("\nprinted: {}", printed.trim()));
        }
        return Seen::failed(text);
    }
    // A project can make any test skip itself, so a test that was left out is one that did not run.
    match skipped {
        0 => Seen::passed(format!("{passed} of {total} tests passed")),
        _ => Seen::not_run(format!("{skipped} of {total} tests were skipped, {passed} passed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcomes: &[(&str, TestStatus)], problem: Option<&str>) -> TestRun {
        TestRun {
            tests: outcomes
                .iter()
                .map(|(name, status)| TestOutcome { name: (*name).into(), status: *status, detail: "why".into() })
                .collect(),
            stdout: "OK\n".into(),
            stderr: String::new(),
            problem: problem.map(str::to_owned),
        }
    }

    fn check(outcomes: &[(&str, TestStatus)], problem: Option<&str>, expected: CheckStatus) {
        let seen = verdict(&["a".to_owned(), "b".to_owned()], &run(outcomes, problem));
        assert_eq!(seen.status, expected, "{outcomes:?} {problem:?}: {}", seen.detail);
    }

    #[test]
    fn every_listed_test_must_have_passed() {
        use TestStatus::{Errored, Failed, Passed, Skipped};
        check(&[("a", Passed), ("b", Passed)], None, CheckStatus::Passed);
        check(&[("a", Passed), ("b", Skipped)], None, CheckStatus::NotRun);
        check(&[("a", Passed), ("b", Failed)], None, CheckStatus::Failed);
        check(&[("a", Passed), ("b", Errored)], None, CheckStatus::Failed);
        check(&[("a", Passed)], None, CheckStatus::Failed);
        check(&[("a", Passed), ("c", Passed)], None, CheckStatus::Failed);
        check(&[("a", Passed), ("a", Passed), ("b", Passed)], None, CheckStatus::Failed);
        check(&[("a", Passed), ("b", Passed)], Some("the framework was changed"), CheckStatus::Failed);
        check(&[("a", Skipped), ("b", Skipped)], None, CheckStatus::NotRun);
        check(&[], None, CheckStatus::Failed);
    }
}
