//! A documenter: it writes one page, what the program is for by a model and what was checked by itself.

use atelier_sdk::documenter::Guest;
use atelier_sdk::model::{Conversation, HostModel, Model};
use atelier_sdk::types::{Brief, CheckResult, Failure, SourceFile, Status};
use atelier_sdk::{job, workspace};

const RULES: &str = "You are a technical writer. Answer with two or three sentences on what the program is for, and nothing else.";
/// The longest useful answer.
const OUTPUT_TOKENS_MAX: u32 = 500;

/// The plugin, as the host calls it.
pub struct Plugin;

impl Guest for Plugin {
    fn document() -> Result<String, Failure> {
        let missing = |what: &str| Failure::Impossible(format!("the host gave no {what}"));
        let brief = job::current_brief().ok_or_else(|| missing("brief"))?;
        let task = job::current_task().ok_or_else(|| missing("folder"))?;
        let folder = task
            .files
            .first()
            .and_then(|pattern| pattern.strip_suffix("/**"))
            .ok_or_else(|| missing("folder"))?;
        let text = page(&mut HostModel, &brief, &job::results())?;
        let file = SourceFile {
            path: format!("{folder}/about.md"),
            text,
        };
        workspace::write(&file).map_err(Failure::Refused)?;
        Ok("a page about the project".to_owned())
    }
}

/// The page. Every requirement has to be on it, or the host does not take it.
pub fn page(
    model: &mut dyn Model,
    brief: &Brief,
    results: &[CheckResult],
) -> Result<String, Failure> {
    let wanted: Vec<String> = brief
        .requirements
        .iter()
        .map(|entry| format!("- {}: {}", entry.id, entry.text))
        .collect();
    let asked = format!("{}: {}\n\n{}", brief.title, brief.summary, wanted.join("\n"));
    let mut conversation = Conversation::new(model, "fast", OUTPUT_TOKENS_MAX, RULES);
    let about = conversation.ask(&asked, |reply| match reply.trim() {
        "" => Err("the reply is empty".to_owned()),
        text => Ok(text.to_owned()),
    })?;
    let line = |id: &str, text: &str| {
        let passed = results
            .iter()
            .any(|result| result.requirement == id && result.status == Status::Passed);
        let word = if passed { "a check of it passed" } else { "no check of it passed" };
        format!("- {id}: {text} ({word})")
    };
    let lines: Vec<String> = brief
        .requirements
        .iter()
        .map(|entry| line(&entry.id, &entry.text))
        .collect();
    Ok(format!("# {}\n\n{about}\n\n{}\n", brief.title, lines.join("\n")))
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::Plugin;
    atelier_sdk::documenter::export!(Plugin with_types_in atelier_sdk::documenter);
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;
    use atelier_sdk::types::Requirement;

    #[test]
    fn every_requirement_is_on_the_page_with_what_was_checked() {
        let requirement = |id: &str, text: &str| Requirement {
            id: id.into(),
            text: text.into(),
            prerequisites: vec![],
        };
        let brief = Brief {
            title: "Greeter".into(),
            summary: "It greets.".into(),
            language: "python".into(),
            requirements: vec![
                requirement("R1", "It says hello."),
                requirement("R2", "It is kind."),
            ],
        };
        let passed = CheckResult {
            check: "C1".into(),
            requirement: "R1".into(),
            status: Status::Passed,
            detail: String::new(),
        };
        let page = page(&mut Scripted::new(&["It is for greeting."]), &brief, &[passed]).expect("a page");
        assert!(page.starts_with("# Greeter\n\nIt is for greeting."));
        assert!(page.contains("- R1: It says hello. (a check of it passed)"));
        assert!(page.contains("- R2: It is kind. (no check of it passed)"));
    }
}
