//! The shipped documenter. What can be known is written down by this program: requirements, who built them, what was checked and what came
//! of it, examples that were run. What has to be explained is written by a model that has read the files, and looked over before it is kept.
//! The thinking lives in the modules below; this file connects them with the host.

pub mod diagram;
pub mod facts;
pub mod prose;
pub mod strategy;

use atelier_sdk::documenter::Guest;
use atelier_sdk::model::HostModel;
use atelier_sdk::types::{Failure, Refusal, SourceFile};
use atelier_sdk::workspace::{self, Entry};
use atelier_sdk::{files, job, log};

/// The strategy of this crate, as the host calls it.
pub struct Documenter;

impl Guest for Documenter {
    fn document() -> Result<String, Failure> {
        let missing = |what: &str| Failure::Impossible(format!("the host gave no {what}"));
        let job = facts::Job {
            brief: job::current_brief().ok_or_else(|| missing("brief"))?,
            plan: job::current_plan().ok_or_else(|| missing("plan"))?,
            task: job::current_task().ok_or_else(|| missing("folder for the documents"))?,
            results: job::results(),
            accepted: job::accepted(),
        };
        strategy::document(&mut HostModel, &mut Host, &job)
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

    fn say(&mut self, text: &str, percent: u8) {
        log::progress(text, percent);
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Documenter;
    atelier_sdk::documenter::export!(Documenter with_types_in atelier_sdk::documenter);
}
