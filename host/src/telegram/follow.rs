//! Tells chats how their projects move. What is said follows from the project as it is, so a process that stops in between says nothing
//! twice; a state that passed before anybody looked is not told of any more.

use super::Bot;
use super::desk::{digest, letters};
use crate::chat::{Message, Texts, tell, tell::status};
use crate::store::chats::Moved;
use anyhow::Result;
use std::time::Duration;

/// How often to look although nobody told of a change.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Projects of one look.
const AT_ONCE: u32 = 100;
/// After the answers to people, before the status.
const RESULT: u32 = 2;
const STATUS: u32 = 3;

impl Bot {
    /// Tells chats of their projects, for ever.
    pub(super) async fn follow(&self) -> std::convert::Infallible {
        loop {
            match self.store.moved(AT_ONCE).await {
                Ok(moved) => {
                    for moved in moved {
                        if let Err(error) = self.tell_of(&moved).await {
                            tracing::warn!("chat can't be told of project {}: {error:#}", moved.project);
                        }
                    }
                }
                Err(error) => tracing::warn!("projects can't be looked at: {error}"),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn tell_of(&self, moved: &Moved) -> Result<()> {
        let stored = self.store.project(&moved.project).await?;
        let person = self.store.person(moved.person, "", crate::ledger::NanoUsd::ZERO).await?;
        let texts = Texts(crate::chat::Language::of(&person.language));
        let project = self.view(&stored).await?;
        let messages = tell(texts, &project);
        let told = digest(&messages);
        let mut all = Vec::new();
        if told != moved.told && !messages.is_empty() {
            all = letters(
                &format!("p{}.{}", moved.project, stored.version),
                moved.chat,
                moved.person,
                Some(&moved.project),
                RESULT,
                messages,
            );
        }
        if project.state.ceiling.is_some() {
            let name = format!("status.{}", moved.project);
            all.extend(letters(
                &name,
                moved.chat,
                moved.person,
                Some(&moved.project),
                STATUS,
                vec![Message::text(status(texts, &project))],
            ));
        }
        self.store.told(moved, stored.version, &told, &all).await?;
        Ok(())
    }
}
