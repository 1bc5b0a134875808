//! Guests that try to break what the sandbox promises. An idea such as `elicit trap` names the export that misbehaves and how;
//! every other export does its work without a model. What a guest saw it reports as the reason why it gave up, for the test to
//! read.

pub mod allocate;
pub mod ask;
pub mod bad_plan;
pub mod check_file;
pub mod denied;
pub mod diverge;
pub mod good;
pub mod huge;
pub mod log_flood;
pub mod many_calls;
pub mod outside;
pub mod recurse;
pub mod repeat;
pub mod spend;
pub mod spin;
pub mod spoof;
pub mod storm;
pub mod trap;

use atelier_sdk::architect::Guest as Architect;
use atelier_sdk::implementer::{Guest as Implementer, Work};
use atelier_sdk::job;
use atelier_sdk::types::{Brief, Failure, Plan, Verdict};

/// What a misbehaviour saw, in words.
pub type Seen = String;

/// A word, and what it makes the guest do.
pub type Misbehaviour = (&'static str, fn() -> Seen);

/// Every misbehaviour, by the word that calls it. A test reads this list and fails where one has no test.
pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("allocate", allocate::allocate),
    ("ask", ask::ask_forever),
    ("check-file", check_file::change_check_file),
    ("denied", denied::call_without_grant),
    ("diverge", diverge::do_otherwise_next_time),
    ("file-calls", many_calls::file_calls),
    ("huge-argument", huge::huge_argument),
    ("huge-prompt", huge::huge_prompt),
    ("huge-return", huge::huge_return),
    ("job-calls", many_calls::job_calls),
    ("left-calls", many_calls::left_calls),
    ("log-calls", many_calls::log_calls),
    ("log-flood", log_flood::flood),
    ("outside", outside::reach_outside),
    ("read-calls", many_calls::read_calls),
    ("recurse", recurse::recurse),
    ("repeat", repeat::ask_the_same),
    ("search-calls", many_calls::search_calls),
    ("spend", spend::spend_everything),
    ("spin", spin::spin),
    ("spoof", spoof::spoof),
    ("storm", storm::storm),
    ("trap", trap::trap),
];

/// What this export is told to do, if it is the one.
fn told(export: &str) -> Option<Failure> {
    let idea = job::idea();
    let word = idea.strip_prefix(export)?.trim();
    let (_, misbehave) = MISBEHAVIOURS.iter().find(|(name, _)| *name == word)?;
    Some(Failure::Impossible(misbehave()))
}

/// The component.
pub struct Guest;

impl Architect for Guest {
    fn elicit() -> Result<Brief, Failure> {
        if job::idea() == "elicit huge-return" {
            return Ok(Brief { summary: huge::huge_return(), ..good::brief() });
        }
        told("elicit").map_or_else(|| Ok(good::brief()), Err)
    }

    fn make_plan() -> Result<Plan, Failure> {
        match job::idea().strip_prefix("make-plan ") {
            Some(kind) => Ok(bad_plan::bad_plan(kind)),
            None => Ok(good::plan()),
        }
    }

    fn verify() -> Result<Verdict, Failure> {
        told("verify").map_or_else(|| Ok(good::verdict()), Err)
    }
}

impl Implementer for Guest {
    fn implement() -> Result<Work, Failure> {
        told("implement").map_or_else(good::implement, Err)
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Guest;
    atelier_sdk::architect::export!(Guest with_types_in atelier_sdk::architect);
    atelier_sdk::implementer::export!(Guest with_types_in atelier_sdk::implementer);
}
