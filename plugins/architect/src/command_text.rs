//! Reads the block of a command check: command lines, what they read, what they must print and how they end. It runs nothing and
//! knows no shell; `prompts/plan.md` describes the form.

use atelier_sdk::types::{CommandStep, Matching};

/// The lines of a command block.
pub fn commands(text: &str) -> Result<Vec<CommandStep>, String> {
    let mut steps: Vec<CommandStep> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(CommandStep { arguments: words(command), stdin: String::new(), stdout: Matching::Anything, exit_code: 0 });
            continue;
        }
        let step = steps.last_mut().ok_or("a command block begins with a `$ ` line")?;
        let rest = line.get(1..).map(|rest| rest.strip_prefix(' ').unwrap_or(rest)).unwrap_or_default();
        match (line.chars().next(), &mut step.stdout) {
            (Some('<'), _) => step.stdin.push_str(&format!("{rest}\n")),
            (Some('>'), Matching::Exact(expected)) => expected.push_str(&format!("{rest}\n")),
            (Some('>'), stdout @ Matching::Anything) => *stdout = Matching::Exact(format!("{rest}\n")),
            (Some('~'), stdout @ Matching::Anything) => *stdout = Matching::Contains(rest.to_owned()),
            (Some('/'), stdout @ Matching::Anything) => *stdout = Matching::Pattern(rest.to_owned()),
            (Some('>' | '~' | '/'), _) => {
                return Err(format!("`{line}` is a second expectation of one command; give `>` lines, or one `~`, or one `/`"));
            }
            _ => match line.strip_prefix("exit").map(|code| code.trim().trim_start_matches(':').trim().parse()) {
                Some(Ok(code)) => step.exit_code = code,
                _ => return Err(format!("`{line}` is no line of a command block; they begin with $ < > ~ / or exit")),
            },
        }
    }
    match steps.is_empty() {
        true => Err("a command block has no `$ ` line".to_owned()),
        false => Ok(steps),
    }
}

/// The words of a command line; quotes keep blanks together.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, Some(_)) => word.push(letter),
            ('\'' | '"', None) => (quote, begun) = (Some(letter), true),
            (letter, None) if letter.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (letter, None) => word.push(letter),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}
