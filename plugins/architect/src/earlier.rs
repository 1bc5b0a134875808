//! What the text of a plan continues from: the numbers and the test files of the plan before a change. Nothing at all for a first
//! plan. `plan_text` reads with it; `change` knows the rest of the plan before.

use atelier_sdk::types::{Check, Plan, SourceFile, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The part of an earlier plan that a new text may refer to; the default is none.
#[derive(Default)]
pub struct Earlier {
    /// The numbers of its tasks.
    pub tasks: BTreeSet<usize>,
    /// The largest number of a check, so that no id is given twice.
    pub checks: usize,
    /// Its test files: texts by path.
    pub tests: BTreeMap<String, String>,
}

impl Earlier {
    /// What can be referred to in this plan.
    pub fn of(plan: &Plan) -> Earlier {
        let checks = plan.tasks.iter().flat_map(|task| &task.acceptance);
        Earlier {
            tasks: plan.tasks.iter().filter_map(|task| number(&task.id, 'T')).collect(),
            checks: checks.filter_map(|entry| number(&entry.id, 'C')).max().unwrap_or_default(),
            tests: plan.tasks.iter().flat_map(test_files).map(|(_, file)| (file.path.clone(), file.text.clone())).collect(),
        }
    }
}

/// The number in an id such as `T2`.
pub fn number(id: &str, letter: char) -> Option<usize> {
    let digits = id.strip_prefix(letter)?;
    // `parse` would take a sign.
    digits.chars().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The test files of a task's checks, each with the requirement that it shows.
pub fn test_files(task: &Task) -> impl Iterator<Item = (&str, &SourceFile)> {
    task.acceptance.iter().filter_map(|entry| match &entry.check {
        Check::UnitTest(file) => Some((entry.requirement.as_str(), file)),
        _ => None,
    })
}
