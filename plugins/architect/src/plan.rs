//! From a brief to a plan: one call, a look at the result with the same eyes as the host, and one repair turn with the exact
//! problems. For a change of what is planned already, see `change`.

use crate::change::Change;
use crate::earlier::{Earlier, test_files};
use crate::existing::Existing;
use crate::plan_text::read;
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::types::{Brief, Failure, Plan};
use std::collections::BTreeSet;

/// A plan carries whole test files.
const OUTPUT_TOKENS_MAX: u32 = 12_000;

/// Cuts the brief into tasks. For a change, the plan holds new tasks and rewritten old ones, and no others.
pub fn make_plan(
    model: &mut dyn Model,
    brief: &Brief,
    idea: &str,
    languages: &[String],
    change: Option<&Change>,
    existing: Option<&Existing>,
) -> Result<Plan, Failure> {
    let mut talk = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, include_str!("../prompts/plan.md"));
    let earlier = change.map_or_else(Earlier::default, Change::earlier);
    let mut text = opening(brief, idea, languages);
    if let Some(existing) = existing {
        text = format!("{text}\n\n{}\n{}", existing.told(), include_str!("../prompts/plan_existing.md"));
    }
    if let Some(change) = change {
        text = format!("{text}\n\n{}", change.told(brief));
    }
    talk.ask(&text, |reply| {
        let plan = read(reply, &earlier)?;
        match problems(&plan, brief, change, existing) {
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
fn problems(plan: &Plan, brief: &Brief, change: Option<&Change>, existing: Option<&Existing>) -> Vec<String> {
    let mut problems = Vec::new();
    let known: BTreeSet<_> = brief.requirements.iter().map(|entry| entry.id.as_str()).collect();
    let mut covered = change.map(|change| change.still_checked(plan, brief)).unwrap_or_default();
    let old = change.map_or(&[][..], |change| &change.plan.tasks);
    let tests: BTreeSet<&str> = plan.tasks.iter().chain(old).flat_map(test_files).map(|(_, file)| file.path.as_str()).collect();
    for task in &plan.tasks {
        let number = task.id.trim_start_matches('T');
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
    // A task that stays can't be kept from a file that becomes a test; it was told that it may write it.
    let new_tests: BTreeSet<&str> = plan.tasks.iter().flat_map(test_files).map(|(_, file)| file.path.as_str()).collect();
    for task in old.iter().filter(|task| plan.tasks.iter().all(|new| new.id != task.id)) {
        for file in task.files.iter().filter(|file| new_tests.contains(file.as_str())) {
            problems.push(format!("a check may not bring `{file}`: task {} writes it; choose another name", task.id));
        }
    }
    for path in new_tests.iter().filter(|path| existing.is_some_and(|existing| existing.paths.contains(**path))) {
        problems.push(format!("a check may not bring `{path}`: the project has a file of that name; choose another one"));
    }
    if let Some(circle) = change.map(|change| change.circle(plan)).filter(|circle| !circle.is_empty()) {
        problems.push(format!("{} can't begin: what they need goes in a circle", circle.join(", ")));
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
        let plan = make_plan(&mut model, &brief(), "idea", &[], None, None).expect("a plan");
        assert_eq!(plan.tasks.len(), 1);
        assert!(model.requests[1].messages.last().expect("a message").text.contains("R2 has no check"));
    }

    #[test]
    fn a_task_can_not_own_its_tests() {
        let text = "design: d\nrun: r\ntask: a\nneeds: -\nfiles: a.py, test_a.py\ndo: it\ncheck: R1 unit-test test_a.py\n```\nx\n```\ncheck: R2 unit-test test_a.py";
        let plan = read(text, &Earlier::default()).expect("a plan");
        assert!(problems(&plan, &brief(), None, None).iter().any(|problem| problem.contains("test_a.py")));
    }

    #[test]
    fn a_check_leaves_the_tests_of_a_project_that_exists_alone() {
        let existing = Existing::of(["a.py".to_owned(), "test_a.py".to_owned()], None).expect("it exists");
        let taken = "design: d\nrun: r\ntask: a\nneeds: -\nfiles: a.py\ndo: it\ncheck: R1 unit-test test_a.py\n````\nx\n````\ncheck: R2 judgement taste";
        let mut model = Scripted::new(&[taken, &taken.replace("test_a.py", "test_new.py")]);
        make_plan(&mut model, &brief(), "idea", &[], None, Some(&existing)).expect("a plan");
        assert!(model.requests[0].messages[1].text.contains("Plan the difference"));
        assert!(model.requests[1].messages.last().expect("a message").text.contains("`test_a.py`: the project has"));
    }

    #[test]
    fn without_a_change_the_planner_is_told_what_it_always_was() {
        let expected = "The client's idea, in the client's words:\n\nidea\n\nThe brief: T\n\nS\n\nLanguage: python\n\nRequirements:\n\nR1: x\nR2: x\n\nUnit tests and commands are executed here for: python. Only a requirement all of whose checks were executed counts as verified; one with a judgement does not.";
        let mut model = Scripted::new(&[GOOD]);
        make_plan(&mut model, &brief(), "idea\n", &["python".to_owned()], None, None).expect("a plan");
        assert_eq!(model.requests[0].messages[1].text, expected);
        assert_eq!(model.requests[0].messages[0].text, include_str!("../prompts/plan.md"));
    }
}
