//! People who speak with us in chats, what came in and what is to go out. Both boxes are durable: an update is marked as done in the very
//! transaction that has its effect, and what is to be said is written down in it, under a name that it has once. So whatever happens in
//! between, a person's word counts once and is answered once.
//!
//! [`people`] is who may speak and of what, [`inbox`] and [`outbox`] are the boxes, [`followed`] is how far a chat was told of a project,
//! [`payments`] is what was bought for Stars.
//! Here is what they share: the [`ChatEffect`] of an update.

pub mod followed;
pub mod inbox;
pub mod outbox;
pub mod payments;
pub mod people;

use super::{Result, StoreError, Tx, query, to_json};
use crate::chat::Message;
pub use followed::Moved;
pub use inbox::Received;
pub use outbox::{Fate, Posted, Waiting, button_name};
pub use payments::{Checkout, Invoice, Payment, Refund, Trade};
pub use people::{Dialog, Invitation, Invite, Person, Pressed};
use serde::{Deserialize, Serialize};

/// How much a letter matters. What matters more goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// That something was heard; what it leads to is said later.
    Acknowledgement,
    /// What somebody asked for.
    Answer,
    /// A question, a plan, an end: what a project needs or brought.
    Result,
    /// The one message of a project that changes.
    Status,
    /// What nobody waits for: an announcement, buttons that go.
    Tidying,
}

impl Kind {
    /// 0 goes first.
    fn priority(self) -> u32 {
        self as u32
    }
}

/// A word to a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// What it is, once and for all.
    pub name: String,
    /// To which chat.
    pub chat: i64,
    /// Who may press its buttons.
    pub person: i64,
    /// The project that it is about.
    pub project: Option<String>,
    /// How much it matters.
    pub kind: Kind,
    /// What is said.
    pub message: Message,
}

/// Buttons that were used, or whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// All of a project's.
    Project(String),
    /// Those of one message of a chat.
    Message(i64, i64),
}

/// What an update, or a move of a project, does to chats; part of the transaction that has its effect.
#[derive(Clone, Debug, Default)]
pub struct ChatEffect {
    /// The update that is done with it.
    pub update: Option<i64>,
    /// A person's talk in a chat, as it stands then.
    pub dialog: Option<(i64, i64, Dialog)>,
    /// A project that the chat follows from now on, for this person.
    pub follow: Option<(String, i64, i64)>,
    /// Buttons that go.
    pub used: Option<Used>,
    /// Who is let in, and by what.
    pub invitation: Option<Invitation>,
    /// What is bought or goes back.
    pub trade: Option<Trade>,
    /// What is said.
    pub letters: Vec<Letter>,
}

/// Has the effect of an update. One that was had before has none.
pub(super) async fn have(tx: &mut Tx, effect: &ChatEffect) -> Result<()> {
    if let Some(update) = effect.update {
        let done = query("update inbox set done = 1 where update_id = $1 and done = 0").bind(update).execute(tx).await?;
        if done != 1 {
            return Err(StoreError::Done(update));
        }
    }
    if let Some(invitation) = &effect.invitation {
        people::redeem(tx, invitation).await?;
    }
    if let Some(trade) = &effect.trade {
        payments::trade(tx, trade).await?;
    }
    if let Some((chat, person, dialog)) = &effect.dialog {
        query(
            "insert into dialog (chat, person, expecting, project) values ($1, $2, $3, $4)
             on conflict (chat, person) do update set expecting = $3, project = $4",
        )
        .bind(*chat)
        .bind(*person)
        .bind(to_json(&dialog.expecting))
        .bind(&dialog.project)
        .later(tx);
    }
    if let Some((project, chat, person)) = &effect.follow {
        query("insert into followed (project, chat, person) values ($1, $2, $3) on conflict do nothing")
            .bind(project)
            .bind(*chat)
            .bind(*person)
            .later(tx);
    }
    if let Some(used) = &effect.used {
        outbox::take_buttons(tx, used).await?;
        if let Used::Project(project) = used {
            // Somebody did something about it: what comes of that is news, even where it is what was said before, and even where the
            // project moved before this is written.
            query("update followed set told = '', told_version = 0 where project = $1").bind(project).later(tx);
        }
    }
    for letter in &effect.letters {
        outbox::post(tx, letter);
    }
    Ok(())
}
