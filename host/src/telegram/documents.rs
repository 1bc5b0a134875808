//! Files of a project as they go to a chat.

use super::Bot;
use crate::chat::Document;
use crate::delivery::Delivery;
use crate::project::State;
use crate::store::projects::Project;
use anyhow::Result;

impl Bot {
    /// A file of this project: its name and its bytes.
    pub(super) async fn document(&self, project: &Project, document: Document) -> Result<(String, Vec<u8>)> {
        match document {
            Document::Plan => Ok(("plan.md".to_owned(), plan(&project.state).into_bytes())),
            Document::Zip => {
                let delivery = Delivery::of(&self.store, project).await?;
                Ok((format!("{}.zip", delivery.folder), delivery.zip()?))
            }
        }
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
            text.push_str(&format!("- {} is checked by {}\n", entry.requirement, entry.id));
        }
    }
    text
}
