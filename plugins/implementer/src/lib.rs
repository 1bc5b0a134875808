//! The shipped implementer: writes whole files and SEARCH/REPLACE edits in fenced text, runs the task's checks and mends what they
//! show. The thinking lives in the modules below; this file connects them with the host.

pub mod prompt;
pub mod reply;
pub mod strategy;

use atelier_sdk::implementer::{Guest, Work};
use atelier_sdk::model::HostModel;
use atelier_sdk::types::{Acceptance, CheckResult, Failure, Refusal, SourceFile};
use atelier_sdk::workspace::{self, Edit, EditOutcome, Entry};
use atelier_sdk::{checks, files, index, job, log};

/// The strategy of this crate, as the host calls it.
pub struct Implementer;

impl Guest for Implementer {
    fn implement() -> Result<Work, Failure> {
        let missing = |what: &str| Failure::Impossible(format!("the host gave no {what}"));
        let job = prompt::Job {
            brief: job::current_brief().ok_or_else(|| missing("brief"))?,
            plan: job::current_plan().ok_or_else(|| missing("plan"))?,
            task: job::current_task().ok_or_else(|| missing("task"))?,
            attempt: job::attempt(),
            findings: job::findings(),
            accepted: job::accepted(),
        };
        log::progress(&format!("writing: {}", job.task.title), 10);
        strategy::implement(&mut HostModel, &mut Host, &job)
    }
}

struct Host;

impl strategy::Project for Host {
    fn list(&self) -> Result<Vec<Entry>, Refusal> {
        files::list()
    }

    fn read(&self, path: &str) -> Result<String, Refusal> {
        workspace::read(path)
    }

    fn write(&mut self, file: &SourceFile) -> Result<(), Refusal> {
        workspace::write(file)
    }

    fn edit(&mut self, edits: &[Edit]) -> Result<EditOutcome, Refusal> {
        workspace::apply_edits(edits)
    }

    fn check(&mut self, acceptance: &[Acceptance]) -> Result<Vec<CheckResult>, Refusal> {
        log::progress("running the checks", 70);
        checks::run(acceptance)
    }

    fn map(&self, near: &[String], budget_tokens: u32) -> String {
        index::symbol_map(near, budget_tokens).map(|listing| listing.text).unwrap_or_default()
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Implementer;
    atelier_sdk::implementer::export!(Implementer with_types_in atelier_sdk::implementer);
}
