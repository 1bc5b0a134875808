//! Has the effect of what came in: an update of a chat, how things stand, and what the conversation makes of both; in one transaction with
//! what it does to a project, wherever that is one change.

use super::Bot;
use crate::chat::{Heard, Language, Message, Order, Outcome, Project as View, Situation, Texts, respond};
use crate::ledger::NanoUsd;
use crate::project::evidence::evidence;
use crate::project::{Next, State};
use crate::store::StoreError;
use crate::store::chats::{Chat, ChatEffect, Letter, Person, Received};
use crate::store::projects::Project;
use crate::workspace::sha256;
use anyhow::Result;
use std::time::Duration;
use teloxide_core::payloads::AnswerCallbackQuery;
use teloxide_core::types::{CallbackQueryId, Message as Incoming, Update, UpdateKind};

/// How often to look although nobody told of an update.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Updates of one look, one of each chat.
const AT_ONCE: u32 = 100;
/// Projects of one listing.
const LISTED_MAX: u32 = 20;
/// Telegram takes so many UTF-16 units in a message.
const UNITS_MAX: usize = 4_096;
/// An answer goes before everything else.
const ANSWER: u32 = 0;

impl Bot {
    /// Answers, for ever.
    pub(super) async fn answer(&self) -> std::convert::Infallible {
        let mut work = self.store.work();
        loop {
            work.mark_unchanged();
            let received = match self.store.received(AT_ONCE).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!("the inbox can't be read: {error}");
                    Vec::new()
                }
            };
            for one in &received {
                if let Err(error) = self.take(one).await {
                    tracing::warn!("update {} has no effect yet: {error:#}", one.update);
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
            }
            if received.is_empty() {
                let _ = tokio::time::timeout(LOOK_INTERVAL, work.changed()).await;
            }
        }
    }

    async fn take(&self, received: &Received) -> Result<()> {
        let nothing = ChatEffect { update: Some(received.update), ..ChatEffect::default() };
        let Some(Said { user, language, heard, pressed }) = serde_json::from_str(&received.body).ok().and_then(said) else {
            return Ok(settled(self.store.have(&nothing).await)?);
        };
        // A stranger gets nothing to spend.
        let budget = self.orchestrator.settings.budget.amounts()?;
        let grant = if self.orchestrator.settings.admits(user) { budget.default_grant } else { NanoUsd::ZERO };
        let person = self.store.person(user, Language::of(&language).code(), grant).await?;
        let mut chat = self.store.chat(received.chat).await?;
        let heard = match pressed {
            Some((query, name)) => {
                // Only so that the button stops turning; it is no matter if that fails.
                let answer = AnswerCallbackQuery::new(CallbackQueryId(query));
                let _ = self.api.call::<_, bool>(&answer, Duration::ZERO).await;
                match self.store.button(&name).await? {
                    Some(pressed) if pressed.person != person.id => Heard::PressedStale { foreign: true },
                    Some(pressed) if !pressed.is_over => {
                        chat.project = pressed.project.or(chat.project);
                        Heard::Pressed(pressed.action)
                    }
                    _ => Heard::PressedStale { foreign: false },
                }
            }
            None => heard,
        };
        let texts = Texts(Language::of(&person.language));
        let situation = self.situation(texts, &person, &chat).await?;
        let outcome = respond(&situation, &heard);
        self.carry_out(received, &person, chat, situation.current.as_ref().map(|view| view.id.clone()), outcome).await
    }

    async fn situation(&self, texts: Texts, person: &Person, chat: &Chat) -> Result<Situation> {
        let balance = self.store.balance(&person.wallet).await?;
        let current = match &chat.project {
            Some(id) => Some(self.view(&self.store.project(id).await?).await?),
            None => None,
        };
        let listed = self.store.history_of(&person.wallet, LISTED_MAX).await?;
        Ok(Situation {
            texts,
            person: person.id,
            allowed: self.orchestrator.settings.admits(person.id),
            credits: (balance.balance, balance.held),
            limit: self.orchestrator.settings.budget.amounts()?.pre_approval_limit,
            current,
            listed: listed.into_iter().map(|one| (one.title, one.phase, one.spent)).collect(),
            expecting: chat.expecting,
        })
    }

    /// A project as a chat speaks of it.
    pub(super) async fn view(&self, project: &Project) -> Result<View> {
        let receipt = self.store.receipt(&project.id).await?;
        let quote = match project.state.next() {
            Next::Approve => Some(self.orchestrator.quote(project).await?),
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
            charged: receipt.charged,
            refunded: receipt.refunded,
            quote,
            claims,
        })
    }

    /// Has the effect, with what is ordered.
    async fn carry_out(&self, received: &Received, person: &Person, chat: Chat, current: Option<String>, outcome: Outcome) -> Result<()> {
        let says = |project: Option<&str>, messages: Vec<Message>| {
            letters(&format!("u{}", received.update), received.chat, person.id, project, ANSWER, messages)
        };
        let chat = Chat { expecting: outcome.expecting, ..chat };
        let effect = ChatEffect {
            update: Some(received.update),
            chat: Some((received.chat, chat)),
            follow: None,
            letters: says(current.as_deref(), outcome.say),
        };
        let control = &self.orchestrator.control;
        let Some(order) = outcome.order else { return Ok(settled(self.store.have(&effect).await)?) };
        let done = match (order, current) {
            (Order::Begin(idea), _) => {
                let follow = Some((String::new(), received.chat, person.id));
                control.with(ChatEffect { follow, ..effect.clone() }).create(&person.wallet, &idea, None).await.map(drop)
            }
            (order, Some(id)) => self.order(&self.store.project(&id).await?, order, effect.clone()).await,
            (_, None) => Ok(settled(self.store.have(&effect).await)?),
        };
        let Err(error) = done else { return Ok(()) };
        let texts = Texts(Language::of(&person.language));
        let word = match error.downcast_ref::<StoreError>() {
            Some(StoreError::Done(_)) => return Ok(()),
            // It is tried again, in its order.
            Some(StoreError::Away(_) | StoreError::Full | StoreError::Undone(_)) => return Err(error),
            Some(StoreError::Crowded { .. }) => "operator-fault",
            _ => "stale",
        };
        tracing::info!("update {} was refused: {error:#}", received.update);
        let instead = ChatEffect { letters: says(None, vec![Message::text(texts.say(word, &[]))]), ..effect };
        Ok(settled(self.store.have(&instead).await)?)
    }

    async fn order(&self, project: &Project, order: Order, effect: ChatEffect) -> Result<()> {
        let control = &self.orchestrator.control;
        let with = control.with(effect.clone());
        match order {
            Order::Begin(_) => {}
            Order::Answer(answer) => return with.answer(project, answer).await.map(drop),
            Order::Approve(ceiling) => return with.approve(project, ceiling).await.map(drop),
            Order::Change(request) => return with.change(project, &request, None).await.map(drop),
            Order::Retry => return with.retry(project, None).await.map(drop),
            Order::GiveUp => return with.give_up(project).await.map(drop),
            // Done twice these are done once, so the word about it may come after.
            Order::Pause => drop(control.pause(project).await?),
            Order::Cancel => drop(control.cancel(project).await?),
            Order::Resume => drop(control.resume(project.clone(), None).await?),
            Order::Budget(ceiling) => drop(control.resume(project.clone(), Some(ceiling)).await?),
        }
        Ok(settled(self.store.have(&effect).await)?)
    }
}

/// An effect that was had before needs no other.
fn settled(result: crate::store::Result<()>) -> crate::store::Result<()> {
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

/// What a person did, as Telegram tells it.
struct Said {
    user: i64,
    language: String,
    heard: Heard,
    /// Of a button: the query to answer, and its name.
    pressed: Option<(String, String)>,
}

fn said(update: Update) -> Option<Said> {
    let number = |user: &teloxide_core::types::User| i64::try_from(user.id.0).ok();
    match update.kind {
        // In a group it would have to be settled who decides and who pays.
        UpdateKind::Message(message) if message.chat.is_private() => {
            let user = message.from.as_ref()?;
            let language = user.language_code.clone().unwrap_or_default();
            Some(Said { user: number(user)?, language, heard: heard(&message), pressed: None })
        }
        UpdateKind::CallbackQuery(query) => {
            let language = query.from.language_code.clone().unwrap_or_default();
            let pressed = Some((query.id.0.clone(), query.data.clone().unwrap_or_default()));
            Some(Said { user: number(&query.from)?, language, heard: Heard::Other, pressed })
        }
        _ => None,
    }
}

fn heard(message: &Incoming) -> Heard {
    let Some(text) = message.text() else { return Heard::Other };
    match text.strip_prefix('/') {
        Some(command) => {
            let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
            // In a group a command names its bot.
            let name = name.split('@').next().unwrap_or_default();
            Heard::Command(name.to_lowercase(), rest.to_owned())
        }
        None => Heard::Text(text.to_owned()),
    }
}

/// Messages as letters: a file is one of its own, and a long text several.
pub(super) fn letters(name: &str, chat: i64, person: i64, project: Option<&str>, priority: u32, messages: Vec<Message>) -> Vec<Letter> {
    let mut parts = Vec::new();
    for message in messages {
        let (document, buttons) = (message.document, message.buttons);
        let mut texts = split(&message.html);
        let last = texts.pop().unwrap_or_default();
        parts.extend(texts.into_iter().map(Message::text));
        if let Some(document) = document {
            parts.push(Message { document: Some(document), ..Message::text(String::new()) });
        }
        parts.push(Message { buttons, ..Message::text(last) });
    }
    let is_one = parts.len() == 1;
    let named = |at: usize| if is_one { name.to_owned() } else { format!("{name}.{at}") };
    let project = project.map(str::to_owned);
    parts
        .into_iter()
        .enumerate()
        .map(|(at, message)| Letter { name: named(at), chat, person, project: project.clone(), priority, message })
        .collect()
}

/// Pieces that a message can hold, cut at line ends. No tag of ours goes over a line's end.
fn split(html: &str) -> Vec<String> {
    let mut pieces: Vec<String> = vec![String::new()];
    for line in html.split_inclusive('\n') {
        let units = |text: &str| text.encode_utf16().count();
        let last = pieces.last_mut().expect("there is one");
        if units(last) + units(line) > UNITS_MAX && !last.is_empty() {
            pieces.push(line.to_owned());
        } else {
            last.push_str(line);
        }
    }
    pieces
}

/// Names what was said.
pub(super) fn digest(messages: &[Message]) -> String {
    sha256(serde_json::to_string(messages).expect("our own nouns always serialize").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_line_ends_and_counted_as_telegram_does() {
        let line = format!("{}\n", "😀".repeat(1_000));
        let pieces = split(&line.repeat(5));
        assert_eq!(pieces.iter().map(|piece| piece.encode_utf16().count()).collect::<Vec<_>>(), [4_002, 4_002, 2_001]);
        assert_eq!(pieces.concat(), line.repeat(5));
    }

    #[test]
    fn the_buttons_come_last_and_a_file_before_them() {
        let button = crate::chat::Button { label: "ok".to_owned(), action: crate::chat::Action::Nothing };
        let message = Message { document: Some(crate::chat::Document::Plan), ..Message::text("words".to_owned()).with([button]) };
        let letters = letters("p.1", 1, 2, Some("p"), 2, vec![message]);
        assert_eq!(letters.iter().map(|letter| letter.name.as_str()).collect::<Vec<_>>(), ["p.1.0", "p.1.1"]);
        assert!(letters[0].message.document.is_some() && !letters[1].message.buttons.is_empty());
    }
}
