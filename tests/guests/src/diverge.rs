//! Tries to do something else when it is replayed. A guest has no clock and no dice; the operator's settings may change between two
//! instances of one run, but a run keeps those that it began with.

use atelier_sdk::dialogue::{self, Question};
use atelier_sdk::job;

/// Asks what the settings say.
pub fn do_otherwise_next_time() -> String {
    let text = job::settings().into_iter().next().map_or_else(|| "nothing set".to_owned(), |(_, value)| value);
    format!("{:?}", dialogue::ask(&Question { id: "q".to_owned(), text, choices: vec![] }))
}
