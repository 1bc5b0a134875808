//! Judges command lines: the host itself compares what they print and how they end, so nothing that happens within the program can
//! stand for a result.

use super::Seen;
use super::outcome::CommandOutcome;
use crate::plugins::runner::Runner;
use crate::project::{CommandStep, Matching};
use crate::workspace::Files;

/// Steps of one check.
const STEPS_MAX: usize = 20;
/// Of an output that is shown.
const SHOWN_CHARS_MAX: usize = 600;
/// Compiled size of a pattern; a larger one is no expectation but a program.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// Runs the steps one after the other on one copy of the files.
pub(super) async fn judge(runner: &Runner, files: &Files, steps: &[CommandStep]) -> Seen {
    if steps.len() > STEPS_MAX {
        return Seen::not_run(format!("more than {STEPS_MAX} commands in one check"));
    }
    let mut files = files.clone();
    let mut outcomes: Vec<CommandOutcome> = Vec::new();
    let command = steps.iter().map(|step| words(&step.arguments)).collect::<Vec<_>>().join(" && ");
    for step in steps {
        if step.arguments.first() != steps[0].arguments.first() {
            return Seen::not_run("commands of different programs in one check");
        }
        let outcome = match runner.run_command(&mut files, &step.arguments, &step.stdin).await {
            Ok(outcome) => outcome,
            Err(contained) => {
                let seen = Seen::failed(format!("`{}` did not come to an end: {contained}", words(&step.arguments)));
                return seen.by(runner, command, &(outcomes, contained.0));
            }
        };
        let problem = difference(step, &outcome);
        outcomes.push(outcome);
        if let Some(problem) = problem {
            let seen = match problem {
                Problem::Difference(text) => Seen::failed(format!("`{}` {text}", words(&step.arguments))),
                Problem::NoPattern(text) => Seen::not_run(text),
            };
            return seen.by(runner, command, &outcomes);
        }
    }
    let count = outcomes.len();
    let seen =
        Seen::passed(if count == 1 { "it printed and ended as expected".to_owned() } else { format!("{count} commands as expected") });
    seen.by(runner, command, &outcomes)
}

/// Whether a file can be imported.
pub(super) async fn judge_load(runner: &Runner, files: &Files, path: &str) -> Seen {
    let python = runner.executes.programs.iter().any(|program| program == "python3");
    let arguments = if python {
        let module = path.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
        vec!["python3".to_owned(), "-c".to_owned(), format!("import importlib; importlib.import_module({module:?})")]
    } else {
        vec!["node".to_owned(), "-e".to_owned(), load_script(path)]
    };
    let step = CommandStep { arguments, stdin: String::new(), stdout: Matching::Anything, exit_code: 0 };
    judge(runner, files, &[step]).await
}

/// An import that fails ends the program with 1, as a `require` would.
fn load_script(path: &str) -> String {
    format!("import({:?}).catch((error) => {{ console.error(error); process.exit(1); }})", format!("./{path}"))
}

enum Problem {
    Difference(String),
    NoPattern(String),
}

fn difference(step: &CommandStep, outcome: &CommandOutcome) -> Option<Problem> {
    let mut text = Vec::new();
    if outcome.exit_code != step.exit_code {
        text.push(format!("ended with {} instead of {}", outcome.exit_code, step.exit_code));
    }
    let printed = || format!("printed {:?}", shown(&outcome.stdout));
    match &step.stdout {
        Matching::Exact(expected) if outcome.stdout.trim_end() != expected.trim_end() => {
            text.push(format!("{} instead of {:?}", printed(), shown(expected)));
        }
        Matching::Contains(expected) if !outcome.stdout.contains(expected.as_str()) => {
            text.push(format!("{}, which does not contain {:?}", printed(), shown(expected)));
        }
        Matching::Pattern(pattern) => match regex_lite::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(regex) if !regex.is_match(&outcome.stdout) => text.push(format!("{}, which does not match /{pattern}/", printed())),
            Ok(_) => {}
            Err(error) => return Some(Problem::NoPattern(format!("the check's pattern /{pattern}/ can't be read: {error}"))),
        },
        _ => {}
    }
    if text.is_empty() {
        return None;
    }
    if !outcome.stderr.trim().is_empty() {
        let letters: Vec<char> = outcome.stderr.trim_end().chars().collect();
        let tail: String = letters[letters.len().saturating_sub(SHOWN_CHARS_MAX)..].iter().collect();
        text.push(format!("on standard error:\n{tail}"));
    }
    Some(Problem::Difference(text.join("; ")))
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// The words as one would type them.
fn words(arguments: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter));
    let quoted = arguments.iter().map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stdout: Matching, exit_code: i32, good: bool) {
        let step = CommandStep { arguments: vec!["python3".into(), "a b.py".into()], stdin: String::new(), stdout, exit_code };
        let outcome = CommandOutcome { exit_code: 0, stdout: "one\ntwo \n\n".into(), stderr: String::new() };
        assert_eq!(difference(&step, &outcome).is_none(), good, "{step:?}");
    }

    #[test]
    fn output_is_compared_as_the_contract_says() {
        check(Matching::Anything, 0, true);
        check(Matching::Anything, 1, false);
        check(Matching::Exact("one\ntwo".into()), 0, true);
        check(Matching::Exact("one".into()), 0, false);
        check(Matching::Contains("ne\nt".into()), 0, true);
        check(Matching::Contains("three".into()), 0, false);
        check(Matching::Pattern("^one\\s+t.o".into()), 0, true);
        check(Matching::Pattern("^two".into()), 0, false);
        check(Matching::Pattern("(".into()), 0, false);
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        assert_eq!(words(&["python3".into(), "-c".into(), "print('a')".into()]), "python3 -c 'print('\\''a'\\'')'");
    }
}
