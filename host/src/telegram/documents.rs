//! Files of a project as they go to a chat.

use super::Bot;
use crate::chat::Document;
use crate::delivery::Delivery;
use crate::project::State;
use crate::store::projects::Project;
use anyhow::Result;

/// Telegram takes files of so many bytes from a bot.
pub(super) const BYTES_MAX: usize = 50 * 1024 * 1024;

/// A file.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Bot {
    /// A file of this project.
    pub(super) async fn document(&self, project: &Project, document: Document) -> Result<Named> {
        if document == Document::Plan {
            return Ok(Named { name: "plan.md".to_owned(), bytes: plan(&project.state).into_bytes() });
        }
        let delivery = Delivery::of(&self.store, project).await?;
        Ok(match document {
            Document::Report => Named { name: "REPORT.md".to_owned(), bytes: delivery.report.markdown().into_bytes() },
            _ => Named { name: format!("{}.zip", delivery.folder), bytes: delivery.zip()? },
        })
    }
}

/// The plan, for people.
fn plan(state: &State) -> String {
    let (Some(brief), Some(plan)) = (&state.brief, &state.plan) else { return String::new() };
    let mut text = format!("# {}\n\n{}\n\n## Requirements\n\n", brief.title, brief.summary);
    for requirement in &brief.requirements {
        text.push_str(&format!("- **{}** {}\n", requirement.id, requirement.text));
    }
    text.push_str(&format!("\n## Design\n\n{}\n\nRun: `{}`\n\n## Tasks\n", plan.design, plan.run_command));
    for task in &plan.tasks {
        text.push_str(&format!("\n### {} {}\n\n{}\n\nFiles: {}\n\n", task.id, task.title, task.description, task.files.join(", ")));
        for entry in &task.acceptance {
            text.push_str(&format!("- {} is checked: {}\n", entry.requirement, entry.check.describe()));
        }
    }
    text
}
