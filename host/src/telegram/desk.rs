//! Has the effect of what came in: an update of a chat, how things stand, and what the conversation makes of both. Chats are served side by
//! side, each in the order of its updates.

use super::Bot;
use super::api::Trouble;
use super::incoming::{Deed, said};
use crate::chat::{Heard, Language, Listed, Outcome, Project as View, Situation, Stats, Texts, respond};
use crate::project::evidence::evidence;
use crate::project::{Next, Phase, State};
use crate::store::chats::{ChatEffect, Dialog, Person, Received};
use crate::store::projects::Project;
use crate::store::{StoreError, now_ms};
use crate::workspace::import::{ImportError, unpack};
use anyhow::Result;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use teloxide_core::payloads::{AnswerCallbackQuery, AnswerCallbackQuerySetters};
use teloxide_core::types::CallbackQueryId;
use tokio::task::JoinSet;

/// How often to look although nobody told of an update.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Chats that are served at one time.
const CHATS_MAX: usize = 16;
/// Updates of one look, one of each chat.
const LOOKED_AT: u32 = 64;
/// Projects of one listing.
const LISTED_MAX: u32 = 20;
/// More than this in a minute is more than a person means. Buttons always count.
const SPOKEN_MAX: i64 = 30;
const SPOKEN_MS: i64 = 60_000;
/// Telegram gives a bot files of so many bytes.
const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Of a text's file, so much is read.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// How a zip with something in it begins.
const ZIP_BEGINS: &[u8] = b"PK\x03\x04";

/// Who came with what.
pub(super) struct Visit {
    pub(super) update: i64,
    pub(super) chat: i64,
    pub(super) person: Person,
    pub(super) texts: Texts,
    pub(super) dialog: Dialog,
    /// The message whose button was pressed.
    pub(super) message: Option<i64>,
    /// The project that is spoken of.
    pub(super) current: Option<String>,
}

impl Bot {
    /// Answers, for ever.
    pub(super) async fn answer(self: &Arc<Self>) -> std::convert::Infallible {
        let mut work = self.store.work();
        // Tasks of their own: one that has a connection to the database must go on while this loop waits for one.
        let mut under_way: JoinSet<i64> = JoinSet::new();
        let mut chats: HashSet<i64> = HashSet::new();
        loop {
            work.mark_unchanged();
            match self.store.received(LOOKED_AT).await {
                Ok(received) => {
                    let room = CHATS_MAX - under_way.len();
                    let free: Vec<Received> = received.into_iter().filter(|one| !chats.contains(&one.chat)).take(room).collect();
                    chats.extend(free.iter().map(|one| one.chat));
                    for one in free {
                        let bot = self.clone();
                        under_way.spawn(async move { bot.serve_chat(one).await });
                    }
                }
                Err(error) => tracing::warn!("the inbox can't be read: {error}"),
            }
            tokio::select! {
                Some(served) = under_way.join_next() => match served {
                    Ok(chat) => drop(chats.remove(&chat)),
                    // What panicked is looked at again with the others, when none is under way.
                    Err(error) => {
                        tracing::error!("an update could not be served: {error}");
                        while let Some(served) = under_way.join_next().await {
                            drop(served);
                        }
                        chats.clear();
                    }
                },
                _ = tokio::time::timeout(LOOK_INTERVAL, work.changed()) => {}
            }
        }
    }

    async fn serve_chat(&self, received: Received) -> i64 {
        if let Err(error) = self.take(&received).await {
            tracing::warn!("update {} has no effect yet: {error:#}", received.update);
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        received.chat
    }

    async fn take(&self, received: &Received) -> Result<()> {
        let nothing = ChatEffect { update: Some(received.update), ..ChatEffect::default() };
        let Some(said) = serde_json::from_str(&received.body).ok().and_then(|update| said(self.me(), update)) else {
            return Ok(settled(self.store.have(&nothing).await)?);
        };
        if let Deed::Moved(to) = said.deed {
            self.store.chat_moved(received.chat, to).await?;
            return Ok(settled(self.store.have(&nothing).await)?);
        }
        if let Deed::Returned(charge) = said.deed {
            return self.returned(received.update, charge).await;
        }
        let takes_messages = !matches!(said.deed, Deed::Presence { takes_messages: false });
        if self.store.is_gone(received.chat).await? == takes_messages {
            self.store.chat_is_gone(received.chat, !takes_messages).await?;
        }
        if matches!(said.deed, Deed::Presence { .. }) && !(takes_messages && said.is_group) {
            return Ok(settled(self.store.have(&nothing).await)?);
        }
        let person = self.person(said.user, &said.language).await?;
        if let Deed::Paid(paid) = said.deed {
            return self.paid(received.update, &person, paid).await;
        }
        let texts = Texts(Language::of(&person.language));
        let dialog = self.store.dialog(received.chat, person.id).await?;
        let mut visit = Visit { update: received.update, chat: received.chat, person, texts, dialog, message: None, current: None };
        let mut query = None;
        let heard = match said.deed {
            Deed::Pressed { query: number, name, message } => {
                query = Some(number);
                visit.message = message;
                self.pressed(&mut visit, &name).await?
            }
            Deed::Spoke(heard, reply_to) => {
                self.answers(&mut visit, reply_to).await?;
                self.bounded(&visit, heard).await?
            }
            Deed::Handed { file, name, size, words, reply_to } => {
                self.answers(&mut visit, reply_to).await?;
                match self.bounded(&visit, Heard::Other).await? {
                    Heard::Other if self.is_allowed(&visit.person) => self.read_file(&file, &name, size, &words).await?,
                    heard => heard,
                }
            }
            Deed::Presence { .. } | Deed::Moved(_) | Deed::Paid(_) | Deed::Returned(_) => Heard::Joined,
        };
        let situation = self.situation(&mut visit, said.is_group, &heard).await?;
        let outcome = respond(&situation, &heard);
        if let Some(query) = query {
            self.answer_press(query, &outcome).await;
        }
        self.carry_out(visit, outcome).await
    }

    /// The person, with what everybody gets who is let in.
    async fn person(&self, user: i64, language: &str) -> Result<Person> {
        let person = self.store.person(user, Language::of(language).code()).await?;
        if !person.welcomed && self.is_allowed(&person) {
            let grant = self.orchestrator.settings.budget.amounts()?.default_grant;
            self.store.welcome(&person, grant).await?;
        }
        Ok(person)
    }

    pub(super) fn is_allowed(&self, person: &Person) -> bool {
        !person.blocked && (person.invited || self.orchestrator.settings.telegram.admits(person.id))
    }

    /// What a button means for whoever presses it.
    async fn pressed(&self, visit: &mut Visit, name: &str) -> Result<Heard> {
        Ok(match self.store.button(name).await? {
            Some(pressed) if pressed.person != visit.person.id => Heard::PressedStale { foreign: true },
            Some(pressed) if !pressed.is_over => {
                let opened = match &pressed.action {
                    crate::chat::Action::Open(project) => Some(project.clone()),
                    _ => pressed.project,
                };
                visit.dialog.project = opened.or(visit.dialog.project.take());
                Heard::Pressed(pressed.action)
            }
            _ => Heard::PressedStale { foreign: false },
        })
    }

    /// A button stops turning. It is no matter if that fails.
    async fn answer_press(&self, query: String, outcome: &Outcome) {
        let mut answer = AnswerCallbackQuery::new(CallbackQueryId(query));
        if let Some(text) = &outcome.toast {
            answer = answer.text(text).show_alert(true);
        }
        let _ = self.api.call::<_, bool>(&answer, Duration::ZERO).await;
    }

    /// Whoever answers a message speaks of its project.
    async fn answers(&self, visit: &mut Visit, reply_to: Option<i64>) -> Result<()> {
        if let Some(message) = reply_to
            && let Some(project) = self.store.project_of_message(visit.chat, message).await?
        {
            visit.current = Some(project);
        }
        Ok(())
    }

    async fn bounded(&self, visit: &Visit, heard: Heard) -> Result<Heard> {
        let spoken = self.store.heard_since(visit.chat, now_ms() - SPOKEN_MS, visit.update).await?;
        Ok(if spoken > SPOKEN_MAX { Heard::TooMuch } else { heard })
    }

    /// A file with words is a longer message.
    async fn read_file(&self, file: &str, name: &str, size: u64, words: &str) -> Result<Heard> {
        if size > FILE_BYTES_MAX {
            return Ok(Heard::FileTooLarge);
        }
        let bytes = match self.api.fetch(file, usize::try_from(FILE_BYTES_MAX)?).await {
            Ok(bytes) => bytes,
            Err(Trouble::Refused { why, .. }) => {
                tracing::info!("file {name} can't be fetched: {why}");
                return Ok(Heard::FileTooLarge);
            }
            Err(why) => return Err(why.into()),
        };
        if bytes.starts_with(ZIP_BEGINS) {
            return self.read_zip(bytes, words).await;
        }
        let is_text = bytes.len() <= TEXT_BYTES_MAX && !bytes.contains(&0);
        Ok(match String::from_utf8(bytes) {
            Ok(text) if is_text && words.is_empty() => Heard::Text(text),
            Ok(text) if is_text => Heard::Text(format!("{words}\n\n{text}")),
            _ => Heard::FileUnreadable,
        })
    }

    /// A zip is a project that exists already.
    async fn read_zip(&self, bytes: Vec<u8>, words: &str) -> Result<Heard> {
        let _turn = self.zips.acquire().await;
        Ok(match tokio::task::spawn_blocking(move || unpack(&bytes)).await? {
            Ok(imported) => Heard::Project(self.orchestrator.control.take_over(&imported).await?, words.to_owned()),
            Err(ImportError::TooMuch(_)) => Heard::ZipTooMuch,
            Err(_) => Heard::ZipUnreadable,
        })
    }

    async fn situation(&self, visit: &mut Visit, is_group: bool, heard: &Heard) -> Result<Situation> {
        let settings = &self.orchestrator.settings;
        let person = &visit.person;
        if visit.current.is_none() {
            visit.current = match visit.dialog.project.clone() {
                None if is_group => self.store.project_of_chat(visit.chat).await?,
                own => own,
            };
        }
        let project = match &visit.current {
            Some(id) => Some(self.store.project(id).await?),
            None => None,
        };
        let owns = project.as_ref().is_none_or(|project| project.wallet == person.wallet);
        let is_operator = settings.telegram.is_operator(person.id);
        let asks_for = |name: &str| matches!(heard, Heard::Command(command, _) if command == name);
        let listed = if asks_for("history") { self.store.history_of(&person.wallet, LISTED_MAX).await? } else { Vec::new() };
        let balance = self.store.balance(&person.wallet).await?;
        let allowed = self.is_allowed(person);
        Ok(Situation {
            texts: visit.texts,
            person: person.id,
            allowed,
            is_operator,
            is_group,
            credits: (balance.balance, balance.held),
            limit: settings.budget.amounts()?.pre_approval_limit,
            current: match &project {
                Some(project) => Some(self.view(project).await?),
                None => None,
            },
            owns,
            listed: listed.into_iter().map(|one| Listed { id: one.id, title: one.title, phase: one.phase, spent: one.spent }).collect(),
            under_way: (self.store.projects_under_way(&person.wallet).await?, settings.telegram.projects_max),
            expecting: visit.dialog.expecting.clone(),
            bot: self.me().name.clone(),
            offers: settings.telegram.offers()?,
            bought: self.bought(person.id, is_operator, heard).await?,
            stats: if is_operator && asks_for("stats") { Some(self.stats().await?) } else { None },
        })
    }

    async fn stats(&self) -> Result<Stats> {
        let (queue, outbox) = (self.store.queue().await?, self.store.outbox_count().await?);
        let totals = self.store.totals(now_ms() - 24 * 3_600 * 1_000).await?;
        Ok(Stats {
            people: totals.people,
            projects: totals.projects,
            charged: totals.charged,
            steps: (queue.waiting, queue.under_way),
            messages: [outbox.waiting, outbox.refused, outbox.uncertain, outbox.repeats],
        })
    }

    /// A project as a chat speaks of it.
    pub(super) async fn view(&self, project: &Project) -> Result<View> {
        let receipt = self.store.receipt(&project.id).await?;
        let quote = match project.state.next() {
            Next::Approve => Some(self.orchestrator.quote(project).await?),
            Next::Stop if project.state.phase == Phase::Delivered => self.orchestrator.quote_documents(project).await?,
            _ => None,
        };
        let claims = match project.state.is_over() {
            true => evidence(&project.state).into_iter().map(|one| (one.claim.as_str().to_owned(), one.text)).collect(),
            false => Vec::new(),
        };
        Ok(View {
            id: project.id.clone(),
            unchecked: unchecked(&self.orchestrator, &project.state),
            state: project.state.clone(),
            calls: receipt.calls,
            charged: receipt.charged,
            refunded: receipt.refunded,
            quote,
            claims,
        })
    }
}

/// An effect that was had before needs no other.
pub(super) fn settled(result: crate::store::Result<()>) -> crate::store::Result<()> {
    match result {
        Err(StoreError::Done(_)) => Ok(()),
        result => result,
    }
}
/// Requirements whose checks can't be executed here.
fn unchecked(orchestrator: &crate::orchestrator::Orchestrator, state: &State) -> usize {
    match (&state.brief, &state.plan) {
        (Some(brief), Some(plan)) => orchestrator.checks().out_of_reach(brief, plan),
        _ => 0,
    }
}
