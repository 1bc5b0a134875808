//! The Telegram bot: brings what people do to the conversation ([`crate::chat`]) and what is said to them. Loops that share nothing but
//! the store, so each can stop at any instant: [`poll`] or [`webhook`] takes updates in, [`desk`] has their effect ([`incoming`] says what
//! they mean), [`follow`] tells chats how their projects move, [`outbox`] sends, at the [`pace`] that Telegram takes. [`payments`] is about
//! Stars. Of all processes of a store one speaks at a time; the others wait for its turn to end.

pub mod api;
mod carry_out;
mod desk;
mod documents;
mod follow;
pub mod incoming;
mod letters;
mod operate;
mod outbox;
mod pace;
mod payments;
mod poll;
mod webhook;

use crate::chat::{COMMANDS, Language, Texts};
use crate::orchestrator::Orchestrator;
use crate::store::Store;
use crate::store::presence::Speaker;
use anyhow::{Result, bail};
use api::{Api, Trouble};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use teloxide_core::payloads::{GetMe, SetMyCommands, SetMyCommandsSetters};
use teloxide_core::types::BotCommand;
use tokio::sync::Semaphore;
pub use webhook::Webhook;

/// Zips that are unpacked at one time; each is held in memory as a whole.
const ZIPS_MAX: usize = 2;
/// After a request that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// How often one that does not speak looks whether it may, and one that speaks whether it may still.
const TURN_INTERVAL: Duration = Duration::from_secs(2);

/// The bot of one process.
pub struct Bot {
    api: Api,
    store: Store,
    orchestrator: Arc<Orchestrator>,
    me: OnceLock<Me>,
    webhook: Option<Webhook>,
    checkouts: Arc<Semaphore>,
    zips: Semaphore,
}

/// What Telegram calls the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// Its number.
    pub id: i64,
    /// Its name, without `@`.
    pub name: String,
}

/// Why no more updates come.
#[derive(Debug)]
enum Heard {
    /// They go to somebody else now, in Telegram's words.
    Elsewhere(String),
    /// Telegram does not bring them there, in its words.
    Refused(String),
    /// Telegram does not know the bot any more.
    Unknown,
}

impl Bot {
    /// Over this server, for the projects of this store. Telegram brings updates to the webhook; where there is none they are asked for.
    pub fn new(api: Api, store: Store, orchestrator: Arc<Orchestrator>, webhook: Option<Webhook>) -> Arc<Bot> {
        Arc::new(Bot {
            api,
            store,
            orchestrator,
            me: OnceLock::new(),
            webhook,
            checkouts: payments::checkouts(),
            zips: Semaphore::new(ZIPS_MAX),
        })
    }

    /// Works until it is dropped. Ends by itself only where Telegram does not know the bot, or somebody who does not know of this store
    /// takes its updates.
    pub async fn serve(self: &Arc<Self>) -> Result<()> {
        self.introduce().await?;
        let listening = async {
            match &self.webhook {
                Some(webhook) => self.listen(webhook).await.map(|never| match never {}),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            listened = listening => listened,
            ended = self.take_turns() => ended,
        }
    }

    /// Speaks whenever nobody else of this store does.
    async fn take_turns(self: &Arc<Self>) -> Result<()> {
        loop {
            let speaker = self.wait_for_turn().await;
            let heard = tokio::select! {
                heard = self.speak() => heard,
                () = self.lose_turn(&speaker) => continue,
            };
            if !self.store.still_speaks(&speaker).await {
                continue;
            }
            match heard {
                Heard::Elsewhere(why) => {
                    bail!("somebody else takes this bot's updates ({why}); stop it, or give this one another token")
                }
                Heard::Refused(why) => bail!("Telegram does not come to ATELIER_TELEGRAM_WEBHOOK_URL: {why}"),
                Heard::Unknown => bail!("Telegram does not know this bot any more; ATELIER_TELEGRAM_TOKEN is what @BotFather gave"),
            }
        }
    }

    async fn wait_for_turn(&self) -> Speaker {
        let mut has_said = false;
        loop {
            match self.store.become_speaker().await {
                Ok(Some(speaker)) => match self.store.recover_sending().await {
                    Ok(()) => return speaker,
                    Err(error) => tracing::warn!("the outbox can't be read: {error}"),
                },
                Ok(None) if !has_said => {
                    has_said = true;
                    tracing::warn!("another process speaks for this bot; this one takes over when that ends");
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("nobody knows whether another process speaks for this bot: {error}"),
            }
            tokio::time::sleep(TURN_INTERVAL).await;
        }
    }

    async fn lose_turn(&self, speaker: &Speaker) {
        while self.store.still_speaks(speaker).await {
            tokio::time::sleep(TURN_INTERVAL).await;
        }
        tracing::warn!("the database ended the session by which others knew that this process speaks; it waits for its turn");
    }

    async fn speak(self: &Arc<Self>) -> Heard {
        let hearing = async {
            match &self.webhook {
                Some(webhook) => self.keep_webhook(webhook).await,
                None => self.poll().await,
            }
        };
        tokio::select! {
            heard = hearing => heard,
            never = async { tokio::join!(self.answer(), self.follow(), self.send(), self.refund()) } => match never.0 {},
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
