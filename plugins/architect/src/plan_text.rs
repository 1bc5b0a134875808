//! Reads a plan from the text that the prompt asks for: `key: value` lines, and fenced blocks for test files and commands.

use crate::command_text::commands;
use crate::earlier::{Earlier, number};
use atelier_sdk::fences::{Part, field, parts};
use atelier_sdk::types::{Acceptance, Check, Plan, SourceFile, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The plan, or what is wrong with its text. A text that continues an earlier plan numbers on from there and may name what is in it.
pub fn read(reply: &str, earlier: &Earlier) -> Result<Plan, String> {
    let mut reader = Reader {
        continues: !earlier.tasks.is_empty(),
        known: earlier.tasks.clone(),
        checks: earlier.checks,
        tests: earlier.tests.clone(),
        ..Reader::default()
    };
    for part in parts(reply) {
        match part {
            Part::Line(line) => reader.line(line)?,
            Part::Block { text, open, .. } => {
                if open {
                    return Err("the last block has no closing fence".to_owned());
                }
                reader.block(text)?;
            }
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    design: String,
    run: String,
    tasks: Vec<Task>,
    /// Whether there is an earlier plan, so that the id of a task may stand before its title.
    continues: bool,
    /// The numbers of all tasks so far, those of the earlier plan among them.
    known: BTreeSet<usize>,
    /// The number of the task at hand.
    at: usize,
    /// The number of the last check.
    checks: usize,
    /// What free lines belong to.
    open: Option<Open>,
    /// Test files by path, so that a later check can name one again.
    tests: BTreeMap<String, String>,
    /// A check that waits for its block: requirement and kind.
    pending: Option<(String, Pending)>,
}

#[derive(Clone, Copy)]
enum Open {
    Design,
    Description,
}

enum Pending {
    UnitTest(String),
    Command,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.trim().is_empty() {
            if let (Some(Open::Description), Some(task)) = (self.open, self.tasks.last_mut()) {
                task.description.push('\n');
            }
            return Ok(());
        }
        if let Some(title) = field(line, "task") {
            self.close_pending()?;
            let title = self.heading(title)?;
            self.tasks.push(Task {
                id: format!("T{}", self.at),
                title: title.chars().take(100).collect(),
                description: String::new(),
                depends_on: Vec::new(),
                files: Vec::new(),
                acceptance: Vec::new(),
            });
            self.open = None;
        } else if let Some(check) = field(line, "check") {
            self.close_pending()?;
            self.open = None;
            self.check(check)?;
        } else if let (Some(value), true) = (field(line, "design"), self.tasks.is_empty()) {
            value.clone_into(&mut self.design);
            self.open = Some(Open::Design);
        } else if let (Some(value), true) = (field(line, "run"), self.tasks.is_empty()) {
            value.trim_matches('`').clone_into(&mut self.run);
            self.open = None;
        } else if !self.task_line(line)? {
            match (self.open, self.tasks.last_mut()) {
                (Some(Open::Design), _) => self.design = format!("{} {}", self.design, line.trim()),
                (Some(Open::Description), Some(task)) => task.description.push_str(&format!("\n{}", line.trim_end())),
                // Words between the parts are politeness.
                _ => {}
            }
        }
        Ok(())
    }

    /// Finds the number of a task and returns its title. The id of an earlier task before the title says that it is written anew; an
    /// id that a new task would get anyway does no harm.
    fn heading<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        let next = self.known.last().map_or(1, |last| last + 1);
        let named = if self.continues { leading_id(text) } else { None };
        let (at, title) = named.unwrap_or((next, text));
        if title.is_empty() && named.is_some() {
            return Err(format!("the task T{at} has no title"));
        }
        if at != next && !self.known.contains(&at) {
            return Err(format!("there is no task T{at} to rewrite; the line of a new task is `task: ` and its title alone"));
        }
        if self.tasks.iter().any(|task| number(&task.id, 'T') == Some(at)) {
            return Err(format!("the task T{at} is written twice"));
        }
        self.known.insert(at);
        self.at = at;
        Ok(title)
    }

    /// `needs`, `files` and `do` of the task at hand.
    fn task_line(&mut self, line: &str) -> Result<bool, String> {
        let Some(task) = self.tasks.last_mut() else { return Ok(false) };
        if let Some(value) = field(line, "needs") {
            for number in value
                .split([',', ' '])
                .map(|part| part.trim().trim_start_matches(['T', 't']))
                .filter(|part| !matches!(*part, "" | "-" | "none"))
            {
                let number: usize = number.parse().map_err(|_| format!("`needs: {value}` should list numbers of earlier tasks, or `-`"))?;
                if number == self.at || !self.known.contains(&number) {
                    return Err(format!("task {} needs {number}, which is no earlier task", self.at));
                }
                task.depends_on.push(format!("T{number}"));
            }
            self.open = None;
        } else if let Some(value) = field(line, "files") {
            task.files.extend(value.split(',').map(|path| path.trim().trim_matches('`').to_owned()).filter(|path| !path.is_empty()));
            self.open = None;
        } else if let Some(value) = field(line, "do") {
            value.clone_into(&mut task.description);
            self.open = Some(Open::Description);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// `R1 unit-test tests/test_a.py`
    fn check(&mut self, text: &str) -> Result<(), String> {
        let (requirement, rest) =
            text.split_once(char::is_whitespace).ok_or_else(|| format!("`check: {text}` should be `check: R1 kind …`"))?;
        let (kind, rest) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let rest = rest.trim().trim_matches('`');
        let requirement = requirement.trim_matches(['`', ',']).to_owned();
        match kind.trim_matches(['`', ':']) {
            "unit-test" if !rest.is_empty() => self.pending = Some((requirement, Pending::UnitTest(rest.to_owned()))),
            "command" => self.pending = Some((requirement, Pending::Command)),
            "file-present" if !rest.is_empty() => self.add(requirement, Check::FilePresent(rest.to_owned()))?,
            "parses" if !rest.is_empty() => self.add(requirement, Check::Parses(paths(rest)))?,
            "loads" if !rest.is_empty() => self.add(requirement, Check::Loads(paths(rest)))?,
            "judgement" => self.add(requirement, Check::Judgement(rest.to_owned()))?,
            other => {
                return Err(format!(
                    "`{other}` is no kind of check; there are unit-test, command, file-present, parses, loads and judgement"
                ));
            }
        }
        Ok(())
    }

    fn block(&mut self, text: String) -> Result<(), String> {
        match self.pending.take() {
            Some((requirement, Pending::UnitTest(path))) => {
                self.tests.insert(path.clone(), text.clone());
                self.add(requirement, Check::UnitTest(SourceFile { path, text }))
            }
            Some((requirement, Pending::Command)) => {
                let steps = commands(&text)?;
                self.add(requirement, Check::Command(steps))
            }
            // A block that belongs to no check illustrates the description.
            None => {
                if let (Some(Open::Description), Some(task)) = (self.open, self.tasks.last_mut()) {
                    task.description.push_str(&format!("\n````\n{text}````"));
                }
                Ok(())
            }
        }
    }

    /// A unit test without a block names a file that was given before.
    fn close_pending(&mut self) -> Result<(), String> {
        match self.pending.take() {
            None => Ok(()),
            Some((requirement, Pending::UnitTest(path))) => {
                let text = self.tests.get(&path).cloned().ok_or_else(|| format!("the test file `{path}` is named without its text"))?;
                self.add(requirement, Check::UnitTest(SourceFile { path, text }))
            }
            Some((requirement, Pending::Command)) => Err(format!("the command check of {requirement} has no block")),
        }
    }

    fn add(&mut self, requirement: String, check: Check) -> Result<(), String> {
        let task = self.tasks.last_mut().ok_or("a check stands before the first task")?;
        self.checks += 1;
        task.acceptance.push(Acceptance { id: format!("C{}", self.checks), requirement, check });
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, String> {
        self.close_pending()?;
        if self.tasks.is_empty() {
            return Err("there is no `task:` line".to_owned());
        }
        if self.run.is_empty() {
            return Err("there is no `run:` line".to_owned());
        }
        if self.continues {
            self.settle_tests();
        }
        for task in &mut self.tasks {
            task.description = task.description.trim().to_owned();
            if task.description.is_empty() {
                return Err(format!("the task `{}` has no `do:`", task.title));
            }
        }
        Ok(Plan { tasks: self.tasks, run_command: self.run, design: self.design })
    }

    /// A file has one text. A test file of the earlier plan may be named first and replaced by a block later on.
    fn settle_tests(&mut self) {
        for entry in self.tasks.iter_mut().flat_map(|task| &mut task.acceptance) {
            if let Check::UnitTest(file) = &mut entry.check
                && let Some(text) = self.tests.get(&file.path)
            {
                file.text.clone_from(text);
            }
        }
    }
}

/// `T2 title` or `T2: title`.
fn leading_id(text: &str) -> Option<(usize, &str)> {
    let (word, title) = text.split_once([' ', ':']).unwrap_or((text, ""));
    Some((number(word, 'T')?, title.trim_start_matches([' ', ':'])))
}

/// A list of paths between commas.
fn paths(text: &str) -> Vec<String> {
    text.split(',').map(|path| path.trim().to_owned()).filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::types::{CommandStep, Matching};

    const PLAN: &str = "Here is the plan.\n\ndesign: Two files.\nMore of it.\nrun: `python3 main.py`\n\ntask: First\nneeds: -\nfiles: a.py, lib/**\ndo: Build it\nwith care.\n\ncheck: R1 unit-test test_a.py\n````python\nimport a\n```\nx\n```\n````\ncheck: R2 unit-test test_a.py\ncheck: R3 command\n```\n$ python3 main.py \"a b\" ''\n< in\n> one\n> two\nexit 2\n$ python3 main.py\n~ part\n```\n\ntask: Second\nneeds: T1\nfiles: b.py\ndo: More\ncheck: R4 judgement taste\ncheck: R5 parses a.py, b.py";

    #[test]
    fn a_plan_is_read_whole() {
        let plan = read(PLAN, &Earlier::default()).expect("a plan");
        assert_eq!((plan.design.as_str(), plan.run_command.as_str()), ("Two files. More of it.", "python3 main.py"));
        assert_eq!(plan.tasks[0].description, "Build it\nwith care.");
        assert_eq!(plan.tasks[0].files, ["a.py", "lib/**"]);
        assert_eq!(plan.tasks[1].depends_on, ["T1"]);
        let file = SourceFile { path: "test_a.py".into(), text: "import a\n```\nx\n```\n".into() };
        assert_eq!(plan.tasks[0].acceptance[0].check, Check::UnitTest(file.clone()));
        assert_eq!(plan.tasks[0].acceptance[1].check, Check::UnitTest(file));
        let step = |arguments: &[&str], stdin: &str, stdout, exit_code| CommandStep {
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            stdin: stdin.into(),
            stdout,
            exit_code,
        };
        assert_eq!(
            plan.tasks[0].acceptance[2].check,
            Check::Command(vec![
                step(&["python3", "main.py", "a b", ""], "in\n", Matching::Exact("one\ntwo\n".into()), 2),
                step(&["python3", "main.py"], "", Matching::Contains("part".into()), 0),
            ])
        );
        assert_eq!(plan.tasks[1].acceptance[1].check, Check::Parses(vec!["a.py".into(), "b.py".into()]));
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let cases = [
            (PLAN.replace("needs: T1", "needs: 2"), "no earlier task"),
            (PLAN.replace("~ part", "~ part\n~ another"), "second expectation"),
            (PLAN.replace("R4 judgement", "R4 magic"), "no kind of check"),
            (PLAN.replace("run: ", ""), "no `run:`"),
            (PLAN.replace("check: R2 unit-test test_a.py", "check: R2 unit-test other.py"), "without its text"),
            (PLAN.replace("$ python3 main.py \"a b\" ''\n", ""), "begins with"),
            ("hello".to_owned(), "no `task:`"),
        ];
        for (text, expected) in cases {
            let error = read(&text, &Earlier::default()).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn without_an_earlier_plan_an_id_before_a_title_belongs_to_the_title() {
        let plan = read(&PLAN.replace("task: Second", "task: T1 again"), &Earlier::default()).expect("a plan");
        assert_eq!((plan.tasks[1].id.as_str(), plan.tasks[1].title.as_str()), ("T2", "T1 again"));
    }
}
