//! An implementer: it asks the model once for all files of the task, writes them, and asks once more with what the checks showed.

use atelier_sdk::fences::{Part, parts};
use atelier_sdk::implementer::{Guest, Work};
use atelier_sdk::model::{Conversation, HostModel, Model};
use atelier_sdk::types::{CheckResult, Failure, SourceFile, Status, Task};
use atelier_sdk::{checks, job, words, workspace};

/// The same for every task, so that a provider may cache it.
const RULES: &str = "You are a programmer. Answer with the files of the task and nothing else: for each file its path alone on a line, \
then the whole file between fences of four backticks.";
/// The longest useful answer.
const OUTPUT_TOKENS_MAX: u32 = 12_000;

/// The plugin, as the host calls it.
pub struct Plugin;

impl Guest for Plugin {
    fn implement() -> Result<Work, Failure> {
        let task = job::current_task()
            .ok_or_else(|| Failure::Impossible("the host gave no task".to_owned()))?;
        implement(&mut HostModel, &task, &mut Host)
    }
}

/// What happens to the files; a trait, so that a test needs no host.
pub trait Project {
    /// Writes a file.
    fn write(&mut self, file: &SourceFile) -> Result<(), Failure>;
    /// Runs the task's checks.
    fn check(&mut self, task: &Task) -> Result<Vec<CheckResult>, Failure>;
}

struct Host;

impl Project for Host {
    fn write(&mut self, file: &SourceFile) -> Result<(), Failure> {
        workspace::write(file).map_err(Failure::Refused)
    }

    fn check(&mut self, task: &Task) -> Result<Vec<CheckResult>, Failure> {
        checks::run(&task.acceptance).map_err(Failure::Refused)
    }
}

/// The strategy. It returns one line for the history, and what it assumed for the report.
pub fn implement(
    model: &mut dyn Model,
    task: &Task,
    project: &mut dyn Project,
) -> Result<Work, Failure> {
    let mut conversation = Conversation::new(model, "coder", OUTPUT_TOKENS_MAX, RULES);
    for file in conversation.ask(&prompt(task), read)? {
        project.write(&file)?;
    }
    let problems: Vec<String> = project
        .check(task)?
        .into_iter()
        .filter(|result| result.status == Status::Failed)
        .map(|result| result.detail)
        .collect();
    if !problems.is_empty() {
        let again = format!(
            "These checks fail:\n\n{}\n\nSend the files that have to change, whole.",
            problems.join("\n\n")
        );
        for file in conversation.ask(&again, read)? {
            project.write(&file)?;
        }
    }
    Ok(Work {
        summary: task.title.clone(),
        assumptions: Vec::new(),
    })
}

fn prompt(task: &Task) -> String {
    let checks: Vec<String> = task
        .acceptance
        .iter()
        .map(|entry| format!("- {}", words::check(&entry.check)))
        .collect();
    format!(
        "# Your task: {}\n\n{}\n\nFiles: {}\n\nChecks:\n{}",
        task.title,
        task.description,
        task.files.join(", "),
        checks.join("\n")
    )
}

/// The files of a reply, or what is wrong with it.
fn read(reply: &str) -> Result<Vec<SourceFile>, String> {
    let (mut files, mut path) = (Vec::new(), None);
    for part in parts(reply) {
        match part {
            Part::Line(line) if line.trim().is_empty() => {}
            Part::Line(line) => path = Some(line.trim().to_owned()),
            Part::Block { open: true, .. } => return Err("the last file was cut off".to_owned()),
            Part::Block { text, .. } => {
                let path = path
                    .take()
                    .ok_or("a block has no path on the line before its fence")?;
                files.push(SourceFile { path, text });
            }
        }
    }
    if files.is_empty() {
        Err("the reply holds no file".to_owned())
    } else {
        Ok(files)
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::Plugin;
    atelier_sdk::implementer::export!(Plugin with_types_in atelier_sdk::implementer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;

    /// A project whose checks fail until a file holds `right`.
    #[derive(Default)]
    struct Desk(Vec<SourceFile>);

    impl Project for Desk {
        fn write(&mut self, file: &SourceFile) -> Result<(), Failure> {
            self.0.push(file.clone());
            Ok(())
        }

        fn check(&mut self, _: &Task) -> Result<Vec<CheckResult>, Failure> {
            let status = if self.0.iter().any(|file| file.text.contains("right")) {
                Status::Passed
            } else {
                Status::Failed
            };
            Ok(vec![CheckResult {
                check: "C1".into(),
                requirement: "R1".into(),
                status,
                detail: "it is not right".into(),
            }])
        }
    }

    fn task() -> Task {
        Task {
            id: "T1".into(),
            title: "Say what is right".into(),
            description: String::new(),
            depends_on: vec![],
            files: vec!["a.py".into()],
            acceptance: vec![],
        }
    }

    #[test]
    fn what_the_checks_show_is_mended_once() {
        let mut model = Scripted::new(&["a.py\n````\nwrong\n````", "a.py\n````\nright\n````"]);
        let mut desk = Desk::default();
        let work = implement(&mut model, &task(), &mut desk).expect("work");
        assert_eq!(work.summary, "Say what is right");
        assert!(
            model.requests[1]
                .messages
                .last()
                .is_some_and(|message| message.text.contains("it is not right"))
        );
        assert_eq!(desk.0.len(), 2);
    }

    #[test]
    fn a_reply_without_a_file_is_sent_back() {
        let mut model = Scripted::new(&["Sure!", "a.py\n````\nright\n````"]);
        assert!(implement(&mut model, &task(), &mut Desk::default()).is_ok());
        assert_eq!(model.requests.len(), 2);
    }
}
