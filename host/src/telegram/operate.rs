//! What operators order in a chat, done.

use super::Bot;
use super::carry_out::said;
use super::desk::{Visit, settled};
use super::letters::{Address, letters};
use crate::chat::{Message, Operation};
use crate::store::chats::{ChatEffect, Invite, Kind};
use crate::store::{StoreError, now_ms};
use anyhow::Result;

/// An invitation can be used for so long.
const INVITE_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Nobody guesses so many letters.
const CODE_LETTERS: usize = 20;
/// An announcement reaches so many at most.
const PEOPLE_MAX: u32 = 100_000;

impl Bot {
    /// Does it, and says so. What is done twice is done once: each deed is bound to its update.
    pub(super) async fn operate(&self, visit: &Visit, operation: Operation, mut effect: ChatEffect) -> Result<()> {
        let texts = visit.texts;
        let say = |name: &str, fill: &[(&str, &str)]| said(visit, Kind::Answer, false, vec![Message::text(texts.say(name, fill))]);
        let unknown = |person: i64| say("unknown-person", &[("id", &person.to_string())]);
        effect.letters = match operation {
            Operation::Grant { person, amount } => match self.store.known_person(person).await? {
                Some(known) => {
                    self.store.grant(&known.wallet, amount, &format!("operator:{}", visit.update)).await?;
                    say("granted", &[("amount", &texts.funds(amount)), ("id", &person.to_string())])
                }
                None => unknown(person),
            },
            Operation::Block { person, blocked } => match self.store.block(person, blocked).await {
                Ok(()) => say(if blocked { "person-blocked" } else { "person-unblocked" }, &[("id", &person.to_string())]),
                Err(StoreError::UnknownPerson(_)) => unknown(person),
                Err(error) => return Err(error.into()),
            },
            Operation::Invite { uses, credits } => {
                let random = uuid::Uuid::new_v4().simple().to_string();
                let code: String = random.chars().take(CODE_LETTERS).collect();
                let invite = Invite { code, credits, uses, expires_ms: now_ms() + INVITE_MS, created_by: visit.person.id };
                self.store.invite(&invite).await?;
                let (uses, credits) = (uses.to_string(), texts.funds(credits));
                say("invite-made", &[("uses", &uses), ("credits", &credits), ("bot", &self.me().name), ("code", &invite.code)])
            }
            Operation::Announce(text) => {
                let people = self.store.people(PEOPLE_MAX).await?;
                let mut all = say("announced", &[("count", &people.len().to_string())]);
                let message = Message::text(crate::chat::texts::escape(&text));
                for person in people {
                    let address = Address { chat: person, person, project: None };
                    all.extend(letters(&format!("all{}.{person}", visit.update), &address, Kind::Tidying, vec![message.clone()]));
                }
                all
            }
        };
        Ok(settled(self.store.have(&effect).await)?)
    }
}
