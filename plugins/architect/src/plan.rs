//! From a brief to a plan: one call, a look at the result with the same eyes as the host, and one repair turn with the exact
//! problems.

use crate::plan_text::read;
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::types::{Brief, Check, Failure, Plan};
use std::collections::BTreeSet;

/// A plan carries whole test files.
const OUTPUT_TOKENS_MAX: u32 = 12_000;

/// Cuts the brief into tasks.
pub fn make_plan(model: &mut dyn Model, brief: &Brief, idea: &str, languages: &[String]) -> Result<Plan, Failure> {
    let mut talk = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, include_str!("../prompts/plan.md"));
    talk.ask(&opening(brief, idea, languages), |reply| {
        let plan = read(reply)?;
        match problems(&plan, brief) {
            problems if problems.is_empty() => Ok(plan),
            problems => Err(problems.join("\n")),
        }
    })
}

fn opening(brief: &Brief, idea: &str, languages: &[String]) -> String {
    let requirements: String = brief.requirements.iter().map(|entry| format!("{}: {}\n", entry.id, entry.text)).collect();
    let runners = match languages {
        [] => "No check can be executed here: the client runs them, and a reviewer works through them by reading. Write them all the same; prefer unit tests with a few telling values.".to_owned(),
        some => format!(
            "Unit tests and commands are executed here for: {}. Only a requirement all of whose checks were executed counts as verified; one with a judgement does not.",
            some.join(", ")
        ),
    };
    format!(
        "The client's idea, in the client's words:\n\n{}\n\nThe brief: {}\n\n{}\n\nLanguage: {}\n\nRequirements:\n\n{requirements}\n{runners}",
        idea.trim(),
        brief.title,
        brief.summary,
        brief.language
    )
}

/// What the host would refuse, said before it does, so that the model can still mend it.
fn problems(plan: &Plan, brief: &Brief) -> Vec<String> {
    let mut problems = Vec::new();
    let known: BTreeSet<_> = brief.requirements.iter().map(|entry| entry.id.as_str()).collect();
    let mut covered = BTreeSet::new();
    let tests: BTreeSet<&str> = plan
        .tasks
        .iter()
        .flat_map(|task| &task.acceptance)
        .filter_map(|entry| match &entry.check {
            Check::UnitTest(file) => Some(file.path.as_str()),
            _ => None,
        })
        .collect();
    for (number, task) in plan.tasks.iter().enumerate() {
        let number = number + 1;
        if task.files.is_empty() {
            problems.push(format!("task {number} has no `files:`"));
        }
        for file in &task.files {
            if tests.contains(file.as_str()) {
                problems.push(format!("task {number} may not write `{file}`: it belongs to a check"));
            }
            if file.starts_with('/') || file.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
                problems.push(format!("task {number}: `{file}` is not a path relative to the project"));
            }
        }
        for entry in &task.acceptance {
            if !known.contains(entry.requirement.as_str()) {
                problems.push(format!("task {number} has a check for `{}`, which is no requirement", entry.requirement));
            }
            covered.insert(entry.requirement.as_str());
        }
    }
    problems.extend(
        known.difference(&covered).map(|missing| format!("{missing} has no check (write a judgement if no program can decide it)")),
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;
    use atelier_sdk::types::Requirement;

    fn brief() -> Brief {
        let requirement = |id: &str| Requirement { id: id.into(), text: "x".into(), prerequisites: vec![] };
        Brief {
            title: "T".into(),
            summary: "S".into(),
            language: "python".into(),
            requirements: vec![requirement("R1"), requirement("R2")],
        }
    }

    const GOOD: &str = "design: d\nrun: r\ntask: a\nneeds: -\nfiles: a.py\ndo: it\ncheck: R1 file-present a.py\ncheck: R2 judgement taste";

    #[test]
    fn an_uncovered_requirement_is_sent_back_by_name() {
        let mut model = Scripted::new(&[&GOOD.replace("check: R2 judgement taste", ""), GOOD]);
        let plan = make_plan(&mut model, &brief(), "idea", &[]).expect("a plan");
        assert_eq!(plan.tasks.len(), 1);
        assert!(model.requests[1].messages.last().expect("a message").text.contains("R2 has no check"));
    }

    #[test]
    fn a_task_can_not_own_its_tests() {
        let text = "design: d\nrun: r\ntask: a\nneeds: -\nfiles: a.py, test_a.py\ndo: it\ncheck: R1 unit-test test_a.py\n```\nx\n```\ncheck: R2 unit-test test_a.py";
        let plan = read(text).expect("a plan");
        assert!(problems(&plan, &brief()).iter().any(|problem| problem.contains("test_a.py")));
    }
}
