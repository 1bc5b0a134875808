//! What the host asks of a plan, whoever wrote it. A prompt is no place for a rule: an agent that proposes a cycle, an
//! uncovered requirement or a task that could rewrite its own tests is refused here, in words that it can act on.

use super::documents::DOCUMENTS;
use super::nouns::{Brief, Check, Plan};
use crate::workspace::overlay::FILE_BYTES_MAX;
use crate::workspace::path::{FilePattern, ProjectPath};
use std::collections::{BTreeMap, BTreeSet};

/// More tasks than this is a plan that nobody reads.
const TASKS_MAX: usize = 40;
/// Enough for a large project; each becomes a line of the report.
const REQUIREMENTS_MAX: usize = 100;
/// Checks of one task; each is executed after every try.
const CHECKS_PER_TASK_MAX: usize = 30;
/// Titles become commit subjects and table cells.
const TITLE_CHARS_MAX: usize = 120;

/// Everything that is wrong with a brief, or nothing.
pub fn brief_problems(brief: &Brief) -> Vec<String> {
    let mut problems = Vec::new();
    if brief.title.trim().is_empty() || brief.title.chars().count() > TITLE_CHARS_MAX {
        problems.push(format!("the title must have 1 to {TITLE_CHARS_MAX} characters"));
    }
    if brief.requirements.is_empty() || brief.requirements.len() > REQUIREMENTS_MAX {
        problems.push(format!("there must be 1 to {REQUIREMENTS_MAX} requirements"));
    }
    let mut seen = BTreeSet::new();
    for requirement in &brief.requirements {
        if !seen.insert(requirement.id.as_str()) || requirement.id.trim().is_empty() {
            problems.push(format!("the requirement id `{}` is empty or used twice", requirement.id));
        }
        if requirement.text.trim().is_empty() {
            problems.push(format!("the requirement `{}` says nothing", requirement.id));
        }
    }
    problems
}

/// Everything that is wrong with a plan for this brief, or nothing.
pub fn plan_problems(plan: &Plan, brief: &Brief) -> Vec<String> {
    let mut problems = Vec::new();
    if plan.tasks.is_empty() || plan.tasks.len() > TASKS_MAX {
        problems.push(format!("a plan has 1 to {TASKS_MAX} tasks, this one has {}", plan.tasks.len()));
    }
    order_problems(plan, &mut problems);
    coverage_problems(plan, brief, &mut problems);
    file_problems(plan, &mut problems);
    problems
}

/// What the tests of a plan and the files that were handed over would do to each other: nobody's own file is replaced by a test.
pub fn handed_over_problems(plan: &Plan, handed: &crate::workspace::Files) -> Vec<String> {
    let tests = plan.check_files().filter_map(|file| ProjectPath::parse(&file.path).ok());
    let stands_in_the_way = |path: &ProjectPath| handed.contains_key(path) || path.case_fold_twin(handed.keys()).is_some();
    let taken: BTreeSet<ProjectPath> = tests.filter(stands_in_the_way).collect();
    taken.iter().map(|path| format!("the test file `{path}` would replace one that was handed over; choose another name")).collect()
}

/// Ids are unique, and every task comes after those it depends on, so that the order of the list is an order of work.
fn order_problems(plan: &Plan, problems: &mut Vec<String>) {
    let all: BTreeSet<_> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
    let mut earlier = BTreeSet::new();
    for task in &plan.tasks {
        if task.title.trim().is_empty() || task.title.chars().count() > TITLE_CHARS_MAX {
            problems.push(format!("task `{}` needs a title of 1 to {TITLE_CHARS_MAX} characters", task.id));
        }
        for needed in &task.depends_on {
            if !all.contains(needed.as_str()) {
                problems.push(format!("task `{}` depends on `{needed}`, which does not exist", task.id));
            } else if !earlier.contains(needed.as_str()) {
                problems
                    .push(format!("task `{}` depends on `{needed}`, which does not come before it (a cycle, or the wrong order)", task.id));
            }
        }
        if task.id == DOCUMENTS {
            problems.push(format!("the task id `{DOCUMENTS}` is the host's own; choose another"));
        }
        if task.id.trim().is_empty() || !earlier.insert(task.id.as_str()) {
            problems.push(format!("the task id `{}` is empty or used twice", task.id));
        }
    }
}

/// Every requirement has a check or a reason why no program can decide it.
fn coverage_problems(plan: &Plan, brief: &Brief, problems: &mut Vec<String>) {
    let known: BTreeSet<_> = brief.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
    let mut covered = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for task in &plan.tasks {
        if task.acceptance.len() > CHECKS_PER_TASK_MAX {
            problems.push(format!("task `{}` has more than {CHECKS_PER_TASK_MAX} checks", task.id));
        }
        for acceptance in &task.acceptance {
            if !ids.insert(acceptance.id.as_str()) {
                problems.push(format!("the check id `{}` is used twice", acceptance.id));
            }
            if !known.contains(acceptance.requirement.as_str()) {
                problems.push(format!("check `{}` names the unknown requirement `{}`", acceptance.id, acceptance.requirement));
            }
            covered.insert(acceptance.requirement.as_str());
        }
    }
    for missing in known.difference(&covered) {
        problems.push(format!("requirement `{missing}` has no check, and no judgement entry that says why none is possible"));
    }
}

/// Paths are sound, and no task may write what its checks bring.
fn file_problems(plan: &Plan, problems: &mut Vec<String>) {
    let mut patterns = Vec::new();
    for task in &plan.tasks {
        if task.files.is_empty() {
            problems.push(format!("task `{}` may write no file", task.id));
        }
        for file in &task.files {
            match FilePattern::parse(file) {
                Ok(pattern) => patterns.push((task.id.as_str(), pattern)),
                Err(error) => problems.push(format!("task `{}`: {error}", task.id)),
            }
        }
    }
    for task in &plan.tasks {
        for acceptance in &task.acceptance {
            let paths: Vec<&str> = match &acceptance.check {
                Check::UnitTest(file) => vec![&file.path],
                Check::FilePresent(path) => vec![path],
                Check::Parses(paths) | Check::Loads(paths) => paths.iter().map(String::as_str).collect(),
                Check::Command(_) | Check::Judgement(_) => vec![],
            };
            let is_empty = match &acceptance.check {
                Check::Parses(paths) | Check::Loads(paths) => paths.is_empty(),
                Check::Command(steps) => steps.is_empty(),
                _ => false,
            };
            if is_empty {
                problems.push(format!("check `{}` names nothing to check", acceptance.id));
            }
            for path in paths {
                if let Err(error) = ProjectPath::parse(path) {
                    problems.push(format!("check `{}`: {error}", acceptance.id));
                }
            }
        }
    }
    let mut tests: BTreeMap<ProjectPath, &str> = BTreeMap::new();
    for file in plan.check_files() {
        let Ok(path) = ProjectPath::parse(&file.path) else { continue };
        if path.as_ref() == "README.md" || path.case_fold_twin(tests.keys()).is_some() {
            problems.push(format!("the test file `{path}` can't stand beside the other files; choose another name"));
        }
        if file.text.len() > FILE_BYTES_MAX {
            problems.push(format!("the test file `{path}` has more than {FILE_BYTES_MAX} bytes"));
        }
        if tests.insert(path.clone(), &file.text).is_some_and(|text| text != file.text) {
            problems.push(format!("the test file `{path}` is given twice with different texts"));
        }
        for (task, _) in patterns.iter().filter(|(_, pattern)| pattern.is_exactly(&path)) {
            problems.push(format!("task `{task}` may write `{path}`, which belongs to a check; leave it out of its files"));
        }
    }
}
