//! The Telegram bot: brings what people do to the conversation ([`crate::chat`]) and what is said to them. Four loops that share nothing but
//! the store, so each can stop at any instant: [`poll`] takes updates in, [`desk`] has their effect, [`follow`] tells chats how
//! their projects move, [`outbox`] sends.

pub mod api;
mod desk;
mod documents;
mod follow;
mod outbox;
mod poll;

use crate::orchestrator::Orchestrator;
use crate::store::Store;
use anyhow::Result;
use api::Api;
use std::sync::Arc;

/// The bot of one process.
pub struct Bot {
    api: Api,
    store: Store,
    orchestrator: Arc<Orchestrator>,
}

impl Bot {
    /// Over this server, for the projects of this store.
    pub fn new(api: Api, store: Store, orchestrator: Arc<Orchestrator>) -> Bot {
        Bot { api, store, orchestrator }
    }

    /// Works until it is dropped. Ends by itself only where another process polls for the same bot.
    pub async fn serve(&self) -> Result<()> {
        self.introduce().await;
        tokio::select! {
            polled = self.poll() => polled,
            never = async { tokio::join!(self.answer(), self.follow(), self.send()) } => match never {},
        }
    }
}
