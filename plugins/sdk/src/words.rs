//! A plan's checks and file patterns in words, the same for whoever writes and whoever reviews.

use crate::types::{Check, CommandStep, Matching};

/// What is checked, in a line (a command: a line for each step). The text of a test file is not repeated.
pub fn check(check: &Check) -> String {
    match check {
        Check::Parses(paths) => format!("these files parse: {}", paths.join(", ")),
        Check::Loads(paths) => format!("these files can be imported: {}", paths.join(", ")),
        Check::UnitTest(file) => format!("unit tests in {}", file.path),
        Check::Command(steps) => {
            format!("these commands, in order:\n{}", steps.iter().map(step).collect::<Vec<_>>().join("\n"))
        }
        Check::FilePresent(path) => format!("the file {path} is there"),
        Check::Judgement(reason) => format!("judged by reading: {reason}"),
    }
}

fn step(step: &CommandStep) -> String {
    let stdin = if step.stdin.is_empty() { String::new() } else { format!(" reading {:?}", step.stdin) };
    let stdout = match &step.stdout {
        Matching::Exact(text) => format!(", printing exactly {text:?}"),
        Matching::Contains(text) => format!(", printing something with {text:?}"),
        Matching::Pattern(text) => format!(", printing what matches /{text}/"),
        Matching::Anything => String::new(),
    };
    format!("  {:?}{stdin}{stdout}, exit code {}", step.arguments, step.exit_code)
}

/// Whether a task with these `files` (exact paths, or `folder/**`) may write this path.
pub fn covers(files: &[String], path: &str) -> bool {
    files.iter().any(|pattern| match pattern.strip_suffix("/**") {
        Some(folder) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        None => pattern == path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_covers_what_is_below_it_alone() {
        let files = ["a.py".to_owned(), "lib/**".to_owned()];
        let covered = ["a.py", "lib/b.py", "lib/c/d.py"];
        let not = ["b.py", "lib", "library/x.py", "a.py/x"];
        assert!(covered.iter().all(|path| covers(&files, path)) && !not.iter().any(|path| covers(&files, path)));
    }

    #[test]
    fn a_command_is_said_without_the_words_of_a_programming_language() {
        let step = CommandStep {
            arguments: vec!["python3".into(), "a.py".into()],
            stdin: "x\n".into(),
            stdout: Matching::Exact("y\n".into()),
            exit_code: 1,
        };
        let expected = "these commands, in order:\n  [\"python3\", \"a.py\"] reading \"x\\n\", printing exactly \"y\\n\", exit code 1";
        assert_eq!(check(&Check::Command(vec![step])), expected);
    }
}
