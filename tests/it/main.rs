//! One test binary for all stories, so that everything is linked once.

mod bot_conversations;
mod bot_document;
mod changes;
mod commands;
mod conversations;
mod dialects;
mod faults;
mod handed_over;
mod ledger;
mod ledger_model;
mod letters;
mod limits;
mod migrations;
mod model_calls;
mod parallel;
mod payments;
mod providers;
mod replay;
mod restarts;
mod runners;
mod sandbox;
mod speaker;
mod telegram;
mod tidy;
mod webhook;
mod workers;
