//! The centre: what a project is and what happens to it next. Values in, values out; nothing here does IO, knows the time or
//! holds a lock.
//!
//! [`nouns`] names the things, [`plan`] says what a plan must be, [`next`] says what can be done, [`state`] decides what an event changes, [`tasks`] what it makes of
//! a task [`changes`] what of a user's second thoughts and [`documents`] what of a wish for documents, [`evidence`] says what may be claimed of the result.

pub mod changes;
pub mod documents;
pub mod evidence;
pub mod next;
pub mod nouns;
pub mod plan;
pub mod state;
pub mod tasks;

pub use next::{DELIVER, Next, Ready, Step};
pub use nouns::*;
pub use state::{Action, Event, Pause, Phase, State, decide};
pub use tasks::{Progress, TaskStatus};
