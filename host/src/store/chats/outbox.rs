//! What is to go out. A letter is marked `sending` before it is sent, so that after a kill it is known what may be there already; a letter
//! that is there and is written anew changes its message.

use super::super::{Result, Store, Tx, from_json, now_ms, query, to_json, transaction};
use super::{Kind, Letter, Used};

/// A button can be pressed for so long.
const BUTTON_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// What may be there already is sent again so often, unless it only replaces itself.
const REPEATS_MAX: u32 = 1;

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
    /// Whether it was sent before and nobody knows whether it is there.
    pub is_repeat: bool,
}

/// What became of a try to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is there, under this number, with this file.
    Sent(i64, Option<String>),
    /// Not yet; not before this time.
    Later(i64),
    /// Its message is gone; it is sent anew.
    Anew,
    /// It can't be sent; trying again would not help.
    Refused,
    /// It may be there: nobody knows.
    Uncertain,
    /// The chat takes no messages.
    Gone,
}

/// A letter and what became of it.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The letter.
    pub letter: Letter,
    /// `waiting`, `sending`, `sent`, `refused`, `uncertain`.
    pub state: String,
    /// How often it was sent again although it may have been there.
    pub repeats: u64,
}

/// What the outbox has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OutboxCount {
    /// Not there yet.
    pub waiting: i64,
    /// There.
    pub sent: i64,
    /// Will never be there.
    pub refused: i64,
    /// Acknowledgements that may be there or not.
    pub uncertain: i64,
    /// Sent again although they may have been there.
    pub repeats: i64,
}

impl Store {
    /// What may go out now, in its order: the first of each chat of which nothing is under way.
    pub async fn to_send(&self, most: u32) -> Result<Vec<Waiting>> {
        let rows = query(
            "select number, body, tries, message, repeats from outbox where state = 'waiting' and not_before_ms <= $1
             and number = (select number from outbox first where first.chat = outbox.chat and first.state in ('waiting', 'sending')
                           order by case state when 'sending' then 0 else 1 end, priority, number limit 1)
             and not exists (select 1 from chat where chat.id = outbox.chat and chat.gone = 1)
             order by priority, number limit $2",
        )
        .bind(now_ms())
        .bind(most)
        .all(&mut self.read().await?)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    number: row.get("number"),
                    letter: from_json("letter", &row.get::<String>("body"))?,
                    tries: row.get("tries"),
                    message: row.get("message"),
                    is_repeat: row.get::<i64>("repeats") > 0,
                })
            })
            .collect()
    }

    /// Marks what is about to be sent.
    pub async fn sending(&self, chosen: &[Waiting]) -> Result<()> {
        transaction!(self, |tx| async {
            for waiting in chosen {
                query("update outbox set state = 'sending', tries = tries + 1 where number = $1 and state = 'waiting'")
                    .bind(waiting.number)
                    .later(&mut tx);
            }
            Ok(())
        })
    }

    /// Notes what became of letters. One that was written anew meanwhile waits again.
    pub async fn sent(&self, fates: &[(Waiting, Fate, String)]) -> Result<()> {
        transaction!(self, |tx| async {
            for (waiting, fate, detail) in fates {
                note(&mut tx, waiting, fate, detail);
            }
            Ok(())
        })
    }

    /// What a process left under way that died. Nobody else sends.
    pub async fn recover_sending(&self) -> Result<()> {
        let rows =
            query("select number, body, tries, message, repeats from outbox where state = 'sending'").all(&mut self.read().await?).await?;
        let mut fates = Vec::new();
        for row in rows {
            let waiting = Waiting {
                number: row.get("number"),
                letter: from_json("letter", &row.get::<String>("body"))?,
                tries: row.get("tries"),
                message: row.get("message"),
                is_repeat: row.get::<i64>("repeats") > 0,
            };
            fates.push((waiting, Fate::Uncertain, "the process ended while it was sent".to_owned()));
        }
        self.sent(&fates).await
    }

    /// Telegram's id of a file with this digest.
    pub async fn known_file(&self, digest: &str) -> Result<Option<String>> {
        let row = query("select file from outbox where file >= $1 and file < $2 order by number desc limit 1")
            .bind(format!("{digest} "))
            .bind(format!("{digest}!"))
            .optional(&mut self.read().await?)
            .await?;
        Ok(row.and_then(|row| row.get::<String>("file").split_once(' ').map(|(_, id)| id.to_owned())))
    }

    /// Everything that was to be said in a chat, in the order in which it was written, to be held against what the chat shows.
    pub async fn posted(&self, chat: i64) -> Result<Vec<Posted>> {
        let rows = query("select body, state, repeats from outbox where chat = $1 order by number")
            .bind(chat)
            .all(&mut self.read().await?)
            .await?;
        rows.iter()
            .map(|row| {
                let letter = from_json("letter", &row.get::<String>("body"))?;
                Ok(Posted { letter, state: row.get("state"), repeats: row.get("repeats") })
            })
            .collect()
    }

    /// How much there is of what.
    pub async fn outbox_count(&self) -> Result<OutboxCount> {
        let row = query(
            "select cast(coalesce(sum(case when state in ('waiting', 'sending') then 1 else 0 end), 0) as bigint) as waiting,
                    cast(coalesce(sum(case state when 'sent' then 1 else 0 end), 0) as bigint) as sent,
                    cast(coalesce(sum(case state when 'refused' then 1 else 0 end), 0) as bigint) as refused,
                    cast(coalesce(sum(case state when 'uncertain' then 1 else 0 end), 0) as bigint) as uncertain,
                    cast(coalesce(sum(repeats), 0) as bigint) as repeats from outbox",
        )
        .one(&mut self.read().await?)
        .await?;
        Ok(OutboxCount {
            waiting: row.get("waiting"),
            sent: row.get("sent"),
            refused: row.get("refused"),
            uncertain: row.get("uncertain"),
            repeats: row.get("repeats"),
        })
    }
}

fn note(tx: &mut Tx, waiting: &Waiting, fate: &Fate, detail: &str) {
    let is_acknowledgement = waiting.letter.kind == Kind::Acknowledgement;
    let (state, message, file, not_before, repeats) = match fate {
        Fate::Sent(message, file) => ("sent", Some(*message), file.clone(), 0, 0),
        Fate::Later(time) => ("waiting", waiting.message, None, *time, 0),
        Fate::Anew => ("waiting", None, None, 0, 0),
        Fate::Refused => ("refused", waiting.message, None, 0, 0),
        // What it announces follows, so it says nothing any more.
        Fate::Gone if is_acknowledgement => ("refused", None, None, 0, 0),
        Fate::Gone => ("waiting", waiting.message, None, 0, 0),
        // A change of a message only ever replaces itself.
        Fate::Uncertain if waiting.message.is_some() => ("waiting", waiting.message, None, now_ms(), 0),
        Fate::Uncertain if !is_acknowledgement && !waiting.is_repeat => ("waiting", None, None, now_ms(), REPEATS_MAX),
        Fate::Uncertain => ("uncertain", None, None, 0, 0),
    };
    let body = to_json(&waiting.letter);
    // None where it is as it was.
    let shown = match fate {
        Fate::Sent(..) => Some(digest(&body)),
        Fate::Uncertain => Some(String::new()),
        Fate::Later(_) | Fate::Anew | Fate::Refused | Fate::Gone => None,
    };
    query(
        "update outbox set state = case when body = $1 then $2 else 'waiting' end, message = $3, file = coalesce($4, file),
                not_before_ms = $5, repeats = repeats + $6, detail = $7, shown = coalesce($8, shown)
         where number = $9 and state = 'sending'",
    )
    .bind(body)
    .bind(state)
    .bind(message)
    .bind(file)
    .bind(not_before)
    .bind(repeats)
    .bind(detail)
    .bind(shown)
    .bind(waiting.number)
    .later(tx);
}

fn digest(body: &str) -> String {
    crate::workspace::sha256(body.as_bytes())
}

/// Takes the buttons from messages that are there, and from those that are not there yet.
pub(super) async fn take_buttons(tx: &mut Tx, used: &Used) -> Result<()> {
    let rows = match used {
        Used::Project(project) => query("select number, body from outbox where has_buttons = 1 and project = $1").bind(project),
        Used::Message(chat, message) => {
            query("select number, body from outbox where has_buttons = 1 and chat = $1 and message = $2").bind(*chat).bind(*message)
        }
    };
    for row in rows.all(tx).await? {
        let mut letter: Letter = from_json("letter", &row.get::<String>("body"))?;
        letter.message.buttons.clear();
        query(
            "update outbox set body = $1, has_buttons = 0,
                    priority = case when message is null and state = 'waiting' then priority else $2 end,
                    state = case state when 'sending' then state else 'waiting' end where number = $3",
        )
        .bind(to_json(&letter))
        .bind(Kind::Tidying.priority())
        .bind(row.get::<i64>("number"))
        .later(tx);
    }
    Ok(())
}

/// Writes a letter down, with its buttons. A letter of the same name replaces one: a status that changed. Where it changed back before
/// anybody was shown the change, nothing is sent.
pub(super) fn post(tx: &mut Tx, letter: &Letter) {
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
    let body = to_json(letter);
    let body_digest = digest(&body);
    query(
        "insert into outbox (name, chat, project, priority, body, has_buttons, state, at_ms) values ($1, $2, $3, $4, $5, $6, 'waiting', $7)
         on conflict (name) do update set body = $5, tries = 0, not_before_ms = 0,
            state = case when outbox.state = 'sending' then 'sending'
                         when outbox.message is not null and outbox.shown = $8 then 'sent' else 'waiting' end
         where outbox.body <> $5",
    )
    .bind(&letter.name)
    .bind(letter.chat)
    .bind(&letter.project)
    .bind(letter.kind.priority())
    .bind(body)
    .bind(!letter.message.buttons.is_empty())
    .bind(now_ms())
    .bind(body_digest)
    .later(tx);
}

/// What a button is called on the wire: nothing that could be guessed or that says what it does.
pub fn button_name(letter: &Letter, row: usize, column: usize) -> String {
    crate::workspace::sha256(format!("{} {row} {column} {}", letter.name, letter.person).as_bytes()).chars().take(32).collect()
}
