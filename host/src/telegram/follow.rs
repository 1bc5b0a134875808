//! Tells chats how their projects move. What is said follows from the project as it is, so a process that stops in between says nothing
//! twice; a state that passed before anybody looked is not told of any more.

use super::Bot;
use super::letters::{Address, digest, letters};
use crate::chat::{Message, tell, tell::status};
use crate::project::Next;
use crate::store::chats::{Kind, Moved};
use anyhow::Result;
use std::time::Duration;

/// How often to look although nobody told of a change.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// A change is told a moment later, since changes come in bursts.
const BURST: Duration = Duration::from_millis(50);
/// Projects of one look.
const AT_ONCE: u32 = 100;

impl Bot {
    /// Tells chats of their projects, for ever.
    pub(super) async fn follow(&self) -> std::convert::Infallible {
        let mut work = self.store.work();
        loop {
            work.mark_unchanged();
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
            let _ = tokio::time::timeout(LOOK_INTERVAL, work.changed()).await;
            tokio::time::sleep(BURST).await;
        }
    }

    async fn tell_of(&self, moved: &Moved) -> Result<()> {
        let stored = self.store.project(&moved.project).await?;
        let texts = self.texts_of(moved.person).await?;
        let project = self.view(&stored).await?;
        let address = Address { chat: moved.chat, person: moved.person, project: Some(&moved.project) };
        let next = project.state.next();
        let mut messages = tell(texts, &project);
        if let (true, Next::Ask(_), Some(question)) = (moved.chat < 0, &next, messages.last_mut()) {
            question.html.push_str(&texts.say("reply-hint", &[]));
        }
        let told = digest(&messages);
        let is_new = told != moved.told && !messages.is_empty();
        let mut all = Vec::new();
        if is_new {
            all = letters(&format!("p{}.{}", moved.project, stored.version), &address, Kind::Result, messages);
        }
        if project.state.ceiling.is_some() {
            let name = format!("status.{}", moved.project);
            all.extend(letters(&name, &address, Kind::Status, vec![Message::text(status(texts, &project))]));
        }
        let asks = is_new && matches!(next, Next::Ask(_) | Next::Approve);
        let speak_of = asks && self.is_free_to_speak(moved).await?;
        self.store.told(moved, stored.version, &told, speak_of, &all).await?;
        Ok(())
    }

    /// Whether the next words of a person may be about this project: no other one waits for them.
    async fn is_free_to_speak(&self, moved: &Moved) -> Result<bool> {
        let dialog = self.store.dialog(moved.chat, moved.person).await?;
        Ok(match dialog.project {
            Some(other) if other != moved.project => {
                !matches!(self.store.project(&other).await?.state.next(), Next::Ask(_) | Next::Approve)
            }
            _ => true,
        })
    }
}
