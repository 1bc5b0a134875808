//! The shipped architect: asks little, plans with checks written before the code, and judges from requirement, files and results.
//! The thinking lives in the modules below, which know nothing of wasm; this file connects them with the host.

pub mod change;
pub mod command_text;
pub mod earlier;
pub mod elicit;
pub mod existing;
pub mod plan;
pub mod plan_text;
pub mod verify;

use atelier_sdk::architect::Guest;
use atelier_sdk::dialogue::{self, Answer, Question};
use atelier_sdk::model::HostModel;
use atelier_sdk::types::{Brief, Failure, Plan, Refusal, Verdict};
use atelier_sdk::{files, index, job, log, workspace};
use existing::{Existing, MAP_TOKENS};
use verify::Files;

/// The strategies of this crate, as the host calls them.
pub struct Architect;

impl Guest for Architect {
    fn elicit() -> Result<Brief, Failure> {
        log::progress("understanding the idea", 5);
        let idea = elicit::Idea {
            text: job::idea(),
            attachments: job::attachments(),
            previous: job::previous_brief(),
            change: job::change_request(),
            existing: existing(),
        };
        elicit::elicit(&mut HostModel, &mut Host, &idea)
    }

    fn make_plan() -> Result<Plan, Failure> {
        log::progress("making a plan", 10);
        let brief = job::current_brief().ok_or_else(|| missing("brief"))?;
        plan::make_plan(&mut HostModel, &brief, &job::idea(), &job::languages(), change().as_ref(), existing().as_ref())
    }

    fn verify() -> Result<Verdict, Failure> {
        log::progress("reviewing", 10);
        let brief = job::current_brief().ok_or_else(|| missing("brief"))?;
        let plan = job::current_plan().ok_or_else(|| missing("plan"))?;
        let task = job::current_task().ok_or_else(|| missing("task"))?;
        let review = verify::Review { brief, plan, task, results: job::results(), findings: job::findings() };
        verify::verify(&mut HostModel, &Host, &review)
    }
}

/// The host's side of the strategies' needs.
struct Host;

impl elicit::User for Host {
    fn ask(&mut self, question: &Question) -> Result<Answer, Refusal> {
        dialogue::ask(question)
    }
}

impl verify::Files for Host {
    fn list(&self) -> Result<Vec<workspace::Entry>, Refusal> {
        files::list()
    }

    fn read(&self, path: &str) -> Result<String, Refusal> {
        workspace::read(path)
    }
}

/// The change that is to be planned. While there is no plan yet, nothing can be kept: then the new brief is planned as a whole.
fn change() -> Option<change::Change> {
    let request = job::change_request()?;
    let (previous_brief, plan) = (job::previous_brief()?, job::current_plan()?);
    Some(change::Change { request, previous_brief, plan, accepted: job::accepted() })
}

/// What was handed over, while that is all there is. A host that grants no look at it is asked no further.
fn existing() -> Option<Existing> {
    if !job::accepted().is_empty() {
        return None;
    }
    let paths = Host.list().ok()?.into_iter().map(|entry| entry.path);
    let mut existing = Existing::of(paths, job::current_plan().as_ref())?;
    existing.readme = existing.readme_path().and_then(|path| Host.read(path).ok()).unwrap_or_default();
    existing.map = index::symbol_map(&[], MAP_TOKENS).map(|listing| listing.text).unwrap_or_default();
    Some(existing)
}

fn missing(what: &str) -> Failure {
    Failure::Impossible(format!("the host gave no {what}"))
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Architect;
    atelier_sdk::architect::export!(Architect with_types_in atelier_sdk::architect);
}
