//! Atelier turns an idea into a finished, verified software project. This crate is the host: it keeps projects, files and money,
//! and lets sandboxed agents do the work.
//!
//! In reading order:
//! - [`project`]: the centre, pure. What a project is and what happens to it next.
//! - [`orchestrator`]: carries that out, one step at a time.
//! - [`plugins`]: the agents, as WebAssembly components that can do nothing but what is granted.
//! - [`llm`] and [`ledger`]: model calls and their money, reserved before and settled after.
//! - [`store`]: everything that outlives a process. The only SQL.
//! - [`workspace`], [`index`], [`checks`]: a project's files, what the code says, and what was run on it.
//! - [`delivery`]: zip, git history and report.
//! - [`chat`]: the conversation with a person, pure; [`telegram`] brings it to and fro.
//! - [`recording`]: a recorded run, replayed through the same code, for whoever has no model at hand.
//! - [`settings`], [`app`], [`cli`]: what can be set, how the parts are put together, and the command line.

pub mod app;
pub mod chat;
pub mod checks;
pub mod cli;
pub mod delivery;
mod failpoint;
pub mod index;
pub mod ledger;
pub mod llm;
pub mod orchestrator;
pub mod plugins;
pub mod project;
pub mod recording;
pub mod settings;
pub mod store;
pub mod telegram;
pub mod workspace;
