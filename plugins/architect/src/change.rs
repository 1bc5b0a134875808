//! A change of a project that has a plan already: what the planner is told about it, and what the tasks planned for it owe. The
//! merging of old and new tasks is the host's; here is only as much of it as the problems of a plan need.

use crate::earlier::{Earlier, number, test_files};
use crate::verify::shorten;
use atelier_sdk::fences::around;
use atelier_sdk::job::AcceptedTask;
use atelier_sdk::template::fill;
use atelier_sdk::types::{Brief, Check, Plan, Requirement, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Descriptions and checks of old tasks are shown up to this length: a rewritten task starts from them.
const LINE_CHARS_MAX: usize = 1_200;
/// Test files of old checks are shown up to this size, all together: as much as a reply may hold of them.
const TESTS_CHARS_MAX: usize = 40_000;

/// What the user wants to be different, and what there is so far.
pub struct Change {
    /// In the user's words.
    pub request: String,
    /// The brief of the plan so far.
    pub previous_brief: Brief,
    /// The plan so far.
    pub plan: Plan,
    /// Its tasks that are done.
    pub accepted: Vec<AcceptedTask>,
}

/// What a change does to a requirement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate<'a> {
    New,
    Kept,
    /// With the words it had.
    Changed(&'a str),
}

impl Change {
    /// What the text of the plan continues from.
    pub fn earlier(&self) -> Earlier {
        Earlier::of(&self.plan)
    }

    /// The change in words, for the planner.
    pub fn told(&self, brief: &Brief) -> String {
        let next = self.earlier().tasks.last().map_or(1, |last| last + 1);
        let values = [
            ("request", self.request.trim()),
            ("requirements", &self.requirements(brief)),
            ("design", &self.plan.design),
            ("run", &self.plan.run_command),
            ("tasks", &self.plan.tasks.iter().map(|task| self.task(task)).collect::<Vec<_>>().join("\n")),
            ("tests", &self.tests(brief)),
            ("next", &next.to_string()),
        ];
        fill(include_str!("../prompts/plan_change.md"), &values)
    }

    /// The requirements that have a check without the new tasks: kept ones, by a task that is not rewritten.
    pub fn still_checked<'a>(&'a self, new: &Plan, brief: &'a Brief) -> BTreeSet<&'a str> {
        let kept = brief.requirements.iter().filter(|requirement| self.fate(requirement) == Fate::Kept);
        let checked: BTreeSet<_> = self.staying(new).flat_map(|task| &task.acceptance).map(|entry| entry.requirement.as_str()).collect();
        kept.map(|requirement| requirement.id.as_str()).filter(|id| checked.contains(id)).collect()
    }

    /// The tasks that could never begin if these were put among the old ones: a rewritten task may need what needs it.
    pub fn circle(&self, new: &Plan) -> Vec<String> {
        let all = self.staying(new).chain(&new.tasks);
        let mut waiting: BTreeMap<&str, &[String]> = all.map(|task| (task.id.as_str(), task.depends_on.as_slice())).collect();
        loop {
            let stuck: BTreeMap<_, _> = waiting
                .iter()
                .filter(|(_, needs)| needs.iter().any(|need| waiting.contains_key(need.as_str())))
                .map(|(id, needs)| (*id, *needs))
                .collect();
            if stuck.len() == waiting.len() {
                return stuck.into_keys().map(str::to_owned).collect();
            }
            waiting = stuck;
        }
    }

    /// Old tasks that stay as they are.
    fn staying<'a>(&'a self, new: &Plan) -> impl Iterator<Item = &'a Task> {
        self.plan.tasks.iter().filter(|old| new.tasks.iter().all(|task| task.id != old.id))
    }

    fn fate(&self, requirement: &Requirement) -> Fate<'_> {
        match self.previous_brief.requirements.iter().find(|old| old.id == requirement.id) {
            None => Fate::New,
            Some(old) if old.text.trim() == requirement.text.trim() => Fate::Kept,
            Some(old) => Fate::Changed(&old.text),
        }
    }

    fn requirements(&self, brief: &Brief) -> String {
        let fates = brief.requirements.iter().map(|requirement| match self.fate(requirement) {
            Fate::New => format!("{}: new\n", requirement.id),
            Fate::Kept => format!("{}: kept\n", requirement.id),
            Fate::Changed(old) => format!("{}: changed; it was: {}\n", requirement.id, old.trim()),
        });
        let gone = self.previous_brief.requirements.iter().filter(|old| brief.requirements.iter().all(|entry| entry.id != old.id));
        fates.chain(gone.map(|old| format!("{}: no longer wanted; it was: {}\n", old.id, old.text.trim()))).collect()
    }

    fn task(&self, task: &Task) -> String {
        let state = match self.accepted.iter().find(|done| done.id == task.id) {
            Some(done) => format!("done: {}", one_line(&done.summary)),
            None => "not done yet".to_owned(),
        };
        let needs: Vec<String> =
            task.depends_on.iter().map(|id| number(id, 'T').map_or_else(|| id.clone(), |number| number.to_string())).collect();
        let needs = if needs.is_empty() { "-".to_owned() } else { needs.join(", ") };
        let checks: String =
            task.acceptance.iter().map(|entry| format!("check: {} {}\n", entry.requirement, one_line(&kind(&entry.check)))).collect();
        format!(
            "{} {} ({state})\nneeds: {needs}\nfiles: {}\ndo: {}\n{checks}",
            task.id,
            task.title,
            task.files.join(", "),
            one_line(&task.description)
        )
    }

    /// The test files that show something which is still wanted, with all the requirements that they serve.
    fn tests(&self, brief: &Brief) -> String {
        let mut files: BTreeMap<&str, (&str, BTreeSet<&str>)> = BTreeMap::new();
        for (requirement, file) in self.plan.tasks.iter().flat_map(test_files) {
            files.entry(&file.path).or_insert((&file.text, BTreeSet::new())).1.insert(requirement);
        }
        files.retain(|_, (_, serves)| brief.requirements.iter().any(|requirement| serves.contains(requirement.id.as_str())));
        let (mut text, mut left) = (String::new(), TESTS_CHARS_MAX);
        if !files.is_empty() {
            text.push_str("The test files of its checks, each with the requirements that it serves:\n\n");
        }
        for (path, (content, serves)) in files {
            let shown = shorten(content, left);
            left -= content.chars().count().min(left);
            let fence = around(&shown);
            let serves: Vec<&str> = serves.into_iter().collect();
            text.push_str(&format!("{path} ({})\n{fence}\n{shown}\n{fence}\n\n", serves.join(", ")));
        }
        text
    }
}

/// A check as the format has it, without its block.
fn kind(check: &Check) -> String {
    match check {
        Check::Parses(paths) => format!("parses {}", paths.join(", ")),
        Check::Loads(paths) => format!("loads {}", paths.join(", ")),
        Check::UnitTest(file) => format!("unit-test {}", file.path),
        Check::Command(steps) => {
            format!("command: {}", steps.iter().map(|step| step.arguments.join(" ")).collect::<Vec<_>>().join("; "))
        }
        Check::FilePresent(path) => format!("file-present {path}"),
        Check::Judgement(reason) => format!("judgement {reason}"),
    }
}

/// The beginning of a text, on one line.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{} …", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests;
