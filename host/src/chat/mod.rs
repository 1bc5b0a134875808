//! The conversation, pure: what a person does in a chat and how things stand, in; what is said and what is ordered, out. Nothing here knows
//! of Telegram, the database or the time, so that every branch can be read and tried as a script.
//!
//! [`respond`] is an answer to a person ([`commands`] and [`buttons`] are its parts, [`shop`] is for buying, [`operate`] for operators),
//! [`tell`] what a person hears because a project moved, [`texts`] every word of it and [`amounts`] every amount.

mod amounts;
mod buttons;
mod commands;
pub mod operate;
pub mod respond;
pub mod shop;
pub mod tell;
pub mod texts;

use crate::ledger::NanoUsd;
use crate::orchestrator::quote::Quote;
use crate::project::State;
use serde::{Deserialize, Serialize};

pub use commands::COMMANDS;
pub use operate::{Operation, Stats};
pub use respond::{Expecting, Heard, Listed, Order, Outcome, Situation, respond};
pub use tell::tell;
pub use texts::{Language, Texts};

/// A project as a chat speaks of it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// All of it.
    pub state: State,
    /// Model calls that were answered.
    pub calls: u64,
    /// What it was charged.
    pub charged: NanoUsd,
    /// What was given back.
    pub refunded: NanoUsd,
    /// What a plan that waits will cost, or the documents of what was delivered.
    pub quote: Option<Quote>,
    /// Each requirement's claim, for a project that came to its end: `verified`, `partly`, `unverified` or `failed`.
    pub claims: Vec<(String, String)>,
    /// Requirements that can't be checked here.
    pub unchecked: usize,
}

impl Project {
    /// What it is called.
    pub fn title(&self) -> String {
        match &self.state.brief {
            Some(brief) => brief.title.clone(),
            None => self.state.idea.lines().next().unwrap_or_default().chars().take(TITLE_CHARS_MAX).collect(),
        }
    }
}

/// Of an idea that has no title yet.
const TITLE_CHARS_MAX: usize = 60;

/// What is said: a text in Telegram's HTML, and buttons under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Escaped already.
    pub html: String,
    /// Rows of buttons.
    #[serde(default)]
    pub buttons: Vec<Vec<Button>>,
    /// Files of the project that come with it, before the words.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// What is to be paid, in place of words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<Invoice>,
}

/// So many credits for so many Telegram Stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The price.
    pub stars: i64,
    /// What it buys.
    pub credits: NanoUsd,
}

/// An offer that can be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// What comes back with the payment.
    pub name: String,
    /// What is bought, in a few words and in some more.
    pub title: String,
    /// See there.
    pub description: String,
    /// The price.
    pub stars: i64,
}

/// A file of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    /// Everything, packed.
    Zip,
    /// The plan.
    Plan,
    /// What was checked and what came out.
    Report,
}

impl Message {
    /// Only words.
    pub fn text(html: String) -> Message {
        Message { html, buttons: Vec::new(), documents: Vec::new(), invoice: None }
    }

    /// Buttons one below the other.
    pub fn with(mut self, buttons: impl IntoIterator<Item = Button>) -> Message {
        self.buttons.extend(buttons.into_iter().map(|button| vec![button]));
        self
    }
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What it does.
    pub action: Action,
}

/// What a button does. Money and ends of projects are only ever moved by these, and by commands: never by what an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Take this choice of the open question.
    Choose {
        /// The question's id.
        question: String,
        /// The answer.
        answer: String,
    },
    /// Leave the open question to the agent.
    Skip(String),
    /// Ask nothing more.
    Enough(String),
    /// Accept the plan under this ceiling.
    Approve(NanoUsd),
    /// Say what is to be different.
    Change,
    /// Ask whether to stop.
    Cancel,
    /// Stop.
    CancelSurely,
    /// Leave things as they are.
    Nothing,
    /// Say what the documents would cost.
    Documents,
    /// Have the documents written, under this ceiling.
    Document(NanoUsd),
    /// Try again.
    Retry,
    /// Deliver what works.
    GiveUp,
    /// Speak of this project.
    Open(String),
    /// Send its files once more.
    SendAgain,
    /// Take this offer.
    Buy(Offer),
    /// Give back what was paid, by its reference.
    Return(String),
    /// An operator says this to everybody.
    Announce(String),
}
