//! People who speak with us in chats, what came in and what is to go out. Both boxes are durable: an update is marked as done in the very
//! transaction that has its effect, and what is to be said is written down in it, under a name that it has once. So whatever happens in
//! between, a person's word counts once and is answered once.

use super::{Result, Store, StoreError, Tx, from_json, now_ms, query, to_json, transaction};
use crate::chat::{Action, Expecting, Message};
use crate::ledger::NanoUsd;
use serde::{Deserialize, Serialize};

/// A button can be pressed for so long.
const BUTTON_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// Somebody who may own projects.
#[derive(Clone, Debug)]
pub struct Person {
    /// The number that the chat system gave.
    pub id: i64,
    /// Random; all that the ledger knows.
    pub wallet: String,
    /// Such as `en`.
    pub language: String,
}

/// A chat as it stands.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// The project that is spoken of.
    pub project: Option<String>,
    /// What the next text is taken for.
    pub expecting: Expecting,
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
    /// 0 goes first.
    pub priority: u32,
    /// What is said.
    pub message: Message,
}

/// What an update, or a move of a project, does to chats; part of the transaction that has its effect.
#[derive(Clone, Debug, Default)]
pub struct ChatEffect {
    /// The update that is done with it.
    pub update: Option<i64>,
    /// The chat, as it stands then.
    pub chat: Option<(i64, Chat)>,
    /// A project that the chat follows from now on, for this person.
    pub follow: Option<(String, i64, i64)>,
    /// What is said.
    pub letters: Vec<Letter>,
}

/// Something that came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its number.
    pub update: i64,
    /// The chat it is from.
    pub chat: i64,
    /// As it came.
    pub body: String,
}

/// Something that goes out.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub number: i64,
    /// What it is.
    pub letter: Letter,
    /// How often it was tried.
    pub tries: u32,
    /// The message that it changes, if it is there already.
    pub message: Option<i64>,
}

/// What became of a try to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, under this number.
    Sent(i64),
    /// Not yet; not before this time.
    Later(i64),
    /// It can't be sent; trying again would not help.
    Refused,
    /// It may be there: nobody knows, and nobody sends it twice.
    Uncertain,
}

/// A project that moved on since its chat was told.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The project.
    pub project: String,
    /// Its chat.
    pub chat: i64,
    /// Its owner.
    pub person: i64,
    /// What the chat was told last, in a digest.
    pub told: String,
    /// The version that it was told of.
    pub version: i64,
}

/// What a button does.
#[derive(Clone, Debug)]
pub struct Pressed {
    /// Whose it is.
    pub person: i64,
    /// Of which project.
    pub project: Option<String>,
    /// What it does.
    pub action: Action,
    /// Whether its time is over.
    pub is_over: bool,
}

impl Store {
    /// The person with this number, made with a wallet of its own where it is new.
    pub async fn person(&self, id: i64, language: &str, grant: NanoUsd) -> Result<Person> {
        let known = query("select * from person where id = $1").bind(id).optional(&mut self.read().await?).await?;
        if let Some(row) = known {
            return Ok(Person { id, wallet: row.get("wallet"), language: row.get("language") });
        }
        let wallet = format!("u{}", uuid::Uuid::new_v4().simple());
        self.open_wallet(&wallet, grant).await?;
        transaction!(self, |tx| query(
            "insert into person (id, wallet, language, created_ms) values ($1, $2, $3, $4) on conflict (id) do nothing"
        )
        .bind(id)
        .bind(&wallet)
        .bind(language)
        .bind(now_ms())
        .execute(&mut tx))?;
        let row = query("select * from person where id = $1").bind(id).one(&mut self.read().await?).await?;
        Ok(Person { id, wallet: row.get("wallet"), language: row.get("language") })
    }

    /// How a chat stands.
    pub async fn chat(&self, id: i64) -> Result<Chat> {
        let row = query("select project, expecting from chat where id = $1").bind(id).optional(&mut self.read().await?).await?;
        Ok(row.map_or_else(Chat::default, |row| Chat {
            project: row.get("project"),
            expecting: from_json("chat", &row.get::<String>("expecting")).unwrap_or_default(),
        }))
    }

    /// Takes in what came, once for each number.
    pub async fn receive(&self, received: &[Received]) -> Result<()> {
        transaction!(self, |tx| async {
            for one in received {
                query("insert into inbox (update_id, chat, body, at_ms) values ($1, $2, $3, $4) on conflict do nothing")
                    .bind(one.update)
                    .bind(one.chat)
                    .bind(&one.body)
                    .bind(now_ms())
                    .later(&mut tx);
            }
            Ok(())
        })?;
        self.wake();
        Ok(())
    }

    /// The number after the last that came in.
    pub async fn next_update(&self) -> Result<i64> {
        query("select coalesce(max(update_id), 0) + 1 from inbox").scalar(&mut self.read().await?).await
    }

    /// What came in and has had no effect yet: the first of each chat, the oldest first.
    pub async fn received(&self, most: u32) -> Result<Vec<Received>> {
        let rows = query(
            "select update_id, chat, body from inbox where done = 0
             and update_id = (select min(update_id) from inbox first where first.chat = inbox.chat and first.done = 0)
             order by update_id limit $1",
        )
        .bind(most)
        .all(&mut self.read().await?)
        .await?;
        Ok(rows.iter().map(|row| Received { update: row.get("update_id"), chat: row.get("chat"), body: row.get("body") }).collect())
    }

    /// Has an effect that changes no project.
    pub async fn have(&self, effect: &ChatEffect) -> Result<()> {
        transaction!(self, |tx| self::have(&mut tx, effect))?;
        self.wake();
        Ok(())
    }

    /// The button of this name.
    pub async fn button(&self, name: &str) -> Result<Option<Pressed>> {
        let row = query("select * from button where name = $1").bind(name).optional(&mut self.read().await?).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Pressed {
            person: row.get("person"),
            project: row.get("project"),
            action: from_json("button", &row.get::<String>("action"))?,
            is_over: row.get::<i64>("expires_ms") < now_ms(),
        }))
    }

    /// What is to go out and may go now, in its order: the first of each chat.
    pub async fn to_send(&self, most: u32) -> Result<Vec<Waiting>> {
        let rows = query(
            "select * from outbox where state = 'waiting' and not_before_ms <= $1
             and number = (select number from outbox first where first.chat = outbox.chat and first.state = 'waiting'
                           order by priority, number limit 1)
             order by priority, number limit $2",
        )
        .bind(now_ms())
        .bind(most)
        .all(&mut self.read().await?)
        .await?;
        rows.iter()
            .map(|row| {
                let letter = from_json("letter", &row.get::<String>("body"))?;
                Ok(Waiting { number: row.get("number"), letter, tries: row.get("tries"), message: row.get("message") })
            })
            .collect()
    }

    /// Notes what became of it. A status that was written anew meanwhile waits again.
    pub async fn sent(&self, waiting: &Waiting, fate: Fate, detail: &str) -> Result<()> {
        let (state, message, not_before) = match fate {
            Fate::Sent(message) => ("sent", Some(message), 0),
            Fate::Later(time) => ("waiting", waiting.message, time),
            Fate::Refused => ("refused", waiting.message, 0),
            Fate::Uncertain => ("uncertain", waiting.message, 0),
        };
        transaction!(self, |tx| query(
            "update outbox set state = case when body = $1 then $2 else 'waiting' end, message = coalesce($3, message),
                    not_before_ms = $4, tries = tries + 1, detail = $5 where number = $6"
        )
        .bind(to_json(&waiting.letter))
        .bind(state)
        .bind(message)
        .bind(not_before)
        .bind(detail)
        .bind(waiting.number)
        .execute(&mut tx))?;
        Ok(())
    }

    /// Lets go what was heard and said before this time, and buttons whose time is over. The last update stays, so that the next is known.
    pub async fn forget_chats(&self, before_ms: i64) -> Result<()> {
        transaction!(self, |tx| async {
            query("delete from inbox where done = 1 and at_ms < $1 and update_id < (select max(update_id) from inbox)")
                .bind(before_ms)
                .later(&mut tx);
            query("delete from outbox where state <> 'waiting' and at_ms < $1 and name not like 'status.%'").bind(before_ms).later(&mut tx);
            query("delete from button where expires_ms < $1").bind(now_ms()).later(&mut tx);
            Ok(())
        })
    }

    /// The projects that moved on since their chats were told.
    pub async fn moved(&self, most: u32) -> Result<Vec<Moved>> {
        let rows = query(
            "select followed.* from followed join project on project.id = followed.project
             where project.version > followed.told_version order by project.updated_ms limit $1",
        )
        .bind(most)
        .all(&mut self.read().await?)
        .await?;
        Ok(rows
            .iter()
            .map(|row| Moved {
                project: row.get("project"),
                chat: row.get("chat"),
                person: row.get("person"),
                told: row.get("told"),
                version: row.get("told_version"),
            })
            .collect())
    }

    /// Tells a chat of a version of its project; nothing happens where it was told of another one meanwhile.
    pub async fn told(&self, moved: &Moved, version: i64, told: &str, letters: &[Letter]) -> Result<bool> {
        let done = transaction!(self, |tx| async {
            let done = query("update followed set told_version = $1, told = $2 where project = $3 and told_version = $4")
                .bind(version)
                .bind(told)
                .bind(&moved.project)
                .bind(moved.version)
                .execute(&mut tx)
                .await?;
            if done == 1 {
                for letter in letters {
                    post(&mut tx, letter);
                }
            }
            Ok(done == 1)
        })?;
        self.wake();
        Ok(done)
    }
}

/// Has the effect of an update. One that was had before has none.
pub(super) async fn have(tx: &mut Tx, effect: &ChatEffect) -> Result<()> {
    if let Some(update) = effect.update {
        let done = query("update inbox set done = 1 where update_id = $1 and done = 0").bind(update).execute(tx).await?;
        if done != 1 {
            return Err(StoreError::Done(update));
        }
    }
    if let Some((id, chat)) = &effect.chat {
        query(
            "insert into chat (id, expecting, project) values ($1, $2, $3)
             on conflict (id) do update set expecting = $2, project = $3",
        )
        .bind(*id)
        .bind(to_json(&chat.expecting))
        .bind(&chat.project)
        .later(tx);
    }
    if let Some((project, chat, person)) = &effect.follow {
        query("insert into followed (project, chat, person) values ($1, $2, $3) on conflict do nothing")
            .bind(project)
            .bind(*chat)
            .bind(*person)
            .later(tx);
    }
    for letter in &effect.letters {
        post(tx, letter);
    }
    Ok(())
}

/// Writes a letter down, with its buttons. A letter of the same name replaces one: a status that changed.
fn post(tx: &mut Tx, letter: &Letter) {
    for (row, buttons) in letter.message.buttons.iter().enumerate() {
        for (column, button) in buttons.iter().enumerate() {
            query(
                "insert into button (name, person, project, action, expires_ms) values ($1, $2, $3, $4, $5)
                 on conflict (name) do update set action = $4, expires_ms = $5",
            )
            .bind(button_name(letter, row, column))
            .bind(letter.person)
            .bind(&letter.project)
            .bind(to_json(&button.action))
            .bind(now_ms() + BUTTON_MS)
            .later(tx);
        }
    }
    query(
        "insert into outbox (name, chat, project, priority, body, state, at_ms) values ($1, $2, $3, $4, $5, 'waiting', $6)
         on conflict (name) do update set body = $5, state = 'waiting', tries = 0, not_before_ms = 0 where outbox.body <> $5",
    )
    .bind(&letter.name)
    .bind(letter.chat)
    .bind(&letter.project)
    .bind(letter.priority)
    .bind(to_json(letter))
    .bind(now_ms())
    .later(tx);
}

/// What a button is called on the wire: nothing that could be guessed or that says what it does.
pub fn button_name(letter: &Letter, row: usize, column: usize) -> String {
    crate::workspace::sha256(format!("{} {row} {column} {}", letter.name, letter.person).as_bytes()).chars().take(32).collect()
}
