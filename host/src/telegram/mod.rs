//! The Telegram bot: brings what people do to the conversation ([`crate::chat`]) and what is said to them. Loops that share nothing but
//! the store, so each can stop at any instant: [`poll`] takes updates in, [`desk`] has their effect ([`incoming`] says what they mean),
//! [`follow`] tells chats how their projects move, [`outbox`] sends, at the [`pace`] that Telegram takes. [`payments`] is about Stars.

pub mod api;
mod carry_out;
mod desk;
mod documents;
mod follow;
mod incoming;
mod letters;
mod operate;
mod outbox;
mod pace;
mod payments;
mod poll;

use crate::chat::{COMMANDS, Language, Texts};
use crate::orchestrator::Orchestrator;
use crate::store::Store;
use anyhow::{Result, bail};
use api::{Api, Trouble};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use teloxide_core::payloads::{GetMe, SetMyCommands, SetMyCommandsSetters};
use teloxide_core::types::BotCommand;
use tokio::sync::Semaphore;

/// After a request that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// The bot of one process.
pub struct Bot {
    api: Api,
    store: Store,
    orchestrator: Arc<Orchestrator>,
    me: OnceLock<Me>,
    checkouts: Arc<Semaphore>,
}

/// What Telegram calls the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Me {
    id: i64,
    name: String,
}

impl Bot {
    /// Over this server, for the projects of this store.
    pub fn new(api: Api, store: Store, orchestrator: Arc<Orchestrator>) -> Arc<Bot> {
        Arc::new(Bot { api, store, orchestrator, me: OnceLock::new(), checkouts: payments::checkouts() })
    }

    /// Works until it is dropped. Ends by itself only where another process polls for the same bot, or Telegram does not know it.
    pub async fn serve(self: &Arc<Self>) -> Result<()> {
        self.introduce().await?;
        self.store.recover_sending().await?;
        tokio::select! {
            polled = self.poll() => polled,
            never = async { tokio::join!(self.answer(), self.follow(), self.send(), self.refund()) } => match never {},
        }
    }

    fn me(&self) -> &Me {
        self.me.get().expect("the bot is introduced before it works")
    }

    /// The words of a person.
    async fn texts_of(&self, person: i64) -> crate::store::Result<Texts> {
        let known = self.store.known_person(person).await?;
        Ok(Texts(known.map_or(Language::default(), |person| Language::of(&person.language))))
    }

    /// Learns what the bot is called, and shows the commands in the chats' menus. It is no matter if the latter fails.
    async fn introduce(&self) -> Result<()> {
        let me = loop {
            match self.api.call::<_, Value>(&GetMe::new(), Duration::ZERO).await {
                Ok(me) => break me,
                Err(Trouble::Refused { code: 401 | 404, .. }) => {
                    bail!("Telegram does not know this bot; ATELIER_TELEGRAM_TOKEN is what @BotFather gave")
                }
                Err(why) => {
                    tracing::warn!("Telegram does not answer yet: {why}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        let name = me["username"].as_str().unwrap_or_default().to_owned();
        let _ = self.me.set(Me { id: me["id"].as_i64().unwrap_or_default(), name });
        for language in [Language::English, Language::German] {
            let texts = Texts(language);
            let commands = COMMANDS.iter().map(|name| BotCommand::new(*name, texts.plain(&format!("command-{name}"))));
            let mut request = SetMyCommands::new(commands);
            if language != Language::default() {
                request = request.language_code(language.code());
            }
            if let Err(why) = self.api.call::<_, Value>(&request, Duration::ZERO).await {
                tracing::warn!("the menu of commands can't be shown: {why}");
            }
        }
        Ok(())
    }
}
