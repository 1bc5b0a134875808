//! An architect: it makes a brief of an idea in one call, plans one task with one test file, and believes what the checks did.

use atelier_sdk::architect::Guest;
use atelier_sdk::fences::{Part, field, parts};
use atelier_sdk::job;
use atelier_sdk::model::{Conversation, HostModel, Model};
use atelier_sdk::types::{
    Acceptance, Brief, Check, Failure, Finding, Plan, Requirement, SourceFile, Status, Task,
    Verdict,
};

const BRIEF_RULES: &str = "You make a brief of an idea for a small Python program. Answer with these lines and nothing else:\n\
title: a few words\nsummary: one sentence\nrequirement: one sentence that a test can show (three to six such lines)";
const PLAN_RULES: &str = "You write the unit tests of a Python program before it exists. Answer with the line `module: NAME` for the module \
that the tests import, then one file of unittest tests between fences of four backticks.";
/// The longest useful answer.
const OUTPUT_TOKENS_MAX: u32 = 6_000;
const TEST_FILE: &str = "tests/test_requirements.py";

/// The plugin, as the host calls it.
pub struct Plugin;

impl Guest for Plugin {
    fn elicit() -> Result<Brief, Failure> {
        elicit(&mut HostModel, &job::idea())
    }

    fn make_plan() -> Result<Plan, Failure> {
        let brief = job::current_brief()
            .ok_or_else(|| Failure::Impossible("the host gave no brief".to_owned()))?;
        make_plan(&mut HostModel, &brief)
    }

    fn verify() -> Result<Verdict, Failure> {
        let failed = job::results()
            .into_iter()
            .filter(|result| result.status == Status::Failed);
        let findings: Vec<Finding> = failed
            .map(|result| Finding {
                path: String::new(),
                line: 0,
                message: result.detail,
                requirement: Some(result.requirement),
            })
            .collect();
        Ok(if findings.is_empty() {
            Verdict::Accepted("its checks hold".to_owned())
        } else {
            Verdict::Rejected(findings)
        })
    }
}

/// One call, and one more where the answer can't be read.
pub fn elicit(model: &mut dyn Model, idea: &str) -> Result<Brief, Failure> {
    Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, BRIEF_RULES).ask(idea, read_brief)
}

/// One task that writes one module, checked by one file of tests for all requirements.
pub fn make_plan(model: &mut dyn Model, brief: &Brief) -> Result<Plan, Failure> {
    let wanted: Vec<String> = brief
        .requirements
        .iter()
        .map(|one| format!("{}: {}", one.id, one.text))
        .collect();
    let prompt = format!(
        "{}\n\n{}\n\n{}",
        brief.title,
        brief.summary,
        wanted.join("\n")
    );
    let (module, tests) = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, PLAN_RULES)
        .ask(&prompt, read_tests)?;
    let test = Check::UnitTest(SourceFile {
        path: TEST_FILE.to_owned(),
        text: tests,
    });
    let check = |(at, one): (usize, &Requirement)| Acceptance {
        id: format!("C{}", at + 1),
        requirement: one.id.clone(),
        check: test.clone(),
    };
    let task = Task {
        id: "T1".to_owned(),
        title: brief.title.clone(),
        description: format!("{}\n\n{}", brief.summary, wanted.join("\n")),
        depends_on: vec![],
        files: vec![format!("{module}.py")],
        acceptance: brief.requirements.iter().enumerate().map(check).collect(),
    };
    Ok(Plan {
        tasks: vec![task],
        run_command: format!("python3 {module}.py"),
        design: format!("One module, `{module}`."),
    })
}

fn read_brief(reply: &str) -> Result<Brief, String> {
    let all = |key| {
        reply
            .lines()
            .filter_map(move |line| field(line, key))
            .filter(|value| !value.is_empty())
    };
    let requirements: Vec<Requirement> = all("requirement")
        .enumerate()
        .map(|(at, text)| Requirement {
            id: format!("R{}", at + 1),
            text: text.to_owned(),
            prerequisites: vec![],
        })
        .collect();
    if requirements.is_empty() {
        return Err("there is no line `requirement: …`".to_owned());
    }
    let title = all("title")
        .next()
        .ok_or("there is no line `title: …`")?
        .to_owned();
    let summary = all("summary").next().unwrap_or(&title).to_owned();
    Ok(Brief {
        title,
        summary,
        language: "python".to_owned(),
        requirements,
    })
}

fn read_tests(reply: &str) -> Result<(String, String), String> {
    let module = reply
        .lines()
        .find_map(|line| field(line, "module"))
        .ok_or("there is no line `module: …`")?;
    if module.is_empty()
        || !module
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    {
        return Err("a module's name has small letters and `_`".to_owned());
    }
    let text = parts(reply).into_iter().find_map(|part| match part {
        Part::Block {
            text, open: false, ..
        } => Some(text),
        _ => None,
    });
    Ok((
        module.to_owned(),
        text.ok_or("there is no whole file of tests")?,
    ))
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::Plugin;
    atelier_sdk::architect::export!(Plugin with_types_in atelier_sdk::architect);
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;

    #[test]
    fn every_requirement_of_the_brief_is_checked_by_the_plan() {
        let mut model = Scripted::new(&[
            "title: Greeter\nsummary: It greets.\nrequirement: It says hello.\nrequirement: It says good-bye.",
            "module: greeter\n````python\nimport greeter\n````",
        ]);
        let brief = elicit(&mut model, "something that greets").expect("a brief");
        let plan = make_plan(&mut model, &brief).expect("a plan");
        let checked: Vec<&str> = plan.tasks[0]
            .acceptance
            .iter()
            .map(|entry| entry.requirement.as_str())
            .collect();
        assert_eq!(checked, ["R1", "R2"]);
    }
}
