//! Who speaks with us, by whose leave, and what they speak of.

use super::super::{Result, Store, StoreError, Tx, from_json, ledger, now_ms, query, transaction};
use crate::chat::{Action, Expecting};
use crate::ledger::{HOUSE_GRANTS, NanoUsd};

/// Somebody who may own projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The number that the chat system gave.
    pub id: i64,
    /// Random; all that the ledger knows.
    pub wallet: String,
    /// Such as `en`.
    pub language: String,
    /// Let in by an invitation.
    pub invited: bool,
    /// Shut out by the operator.
    pub blocked: bool,
    /// Was given what everybody gets at the beginning.
    pub welcomed: bool,
}

/// A person's talk in a chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialog {
    /// The project that is spoken of.
    pub project: Option<String>,
    /// What the next text is taken for.
    pub expecting: Expecting,
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

/// A way in for those who know its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Random.
    pub code: String,
    /// What each who uses it is given.
    pub credits: NanoUsd,
    /// How many may.
    pub uses: u32,
    /// Until when.
    pub expires_ms: i64,
    /// The operator's number.
    pub created_by: i64,
}

/// A person who comes with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Who.
    pub person: i64,
    /// With which code.
    pub code: String,
}

/// How much there is of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// People who are let in.
    pub people: u64,
    /// Projects by phase.
    pub projects: Vec<(String, u64)>,
    /// What was charged.
    pub charged: NanoUsd,
}

impl Store {
    /// The person with this number, made with an empty wallet where it is new.
    pub async fn person(&self, id: i64, language: &str) -> Result<Person> {
        if let Some(person) = self.known_person(id).await? {
            return Ok(person);
        }
        let wallet = format!("u{}", uuid::Uuid::new_v4().simple());
        transaction!(self, |tx| async {
            query("insert into wallet (id) values ($1)").bind(&wallet).later(&mut tx);
            query("insert into person (id, wallet, language, created_ms) values ($1, $2, $3, $4) on conflict (id) do nothing")
                .bind(id)
                .bind(&wallet)
                .bind(language)
                .bind(now_ms())
                .later(&mut tx);
            Ok(())
        })?;
        self.known_person(id).await?.ok_or(StoreError::UnknownPerson(id))
    }

    /// The person with this number, if we ever heard of it.
    pub async fn known_person(&self, id: i64) -> Result<Option<Person>> {
        let row = query("select * from person where id = $1").bind(id).optional(&mut self.read().await?).await?;
        Ok(row.map(|row| Person {
            id,
            wallet: row.get("wallet"),
            language: row.get("language"),
            invited: row.get("invited"),
            blocked: row.get("blocked"),
            welcomed: row.get("welcomed"),
        }))
    }

    /// Gives a person what everybody gets at the beginning, once.
    pub async fn welcome(&self, person: &Person, credits: NanoUsd) -> Result<()> {
        transaction!(self, |tx| async {
            let first = query("update person set welcomed = 1 where id = $1 and welcomed = 0").bind(person.id).execute(&mut tx).await?;
            if first == 1 {
                let reference = format!("welcome:{}", person.wallet);
                ledger::grant(&mut tx, &person.wallet, credits, &reference, HOUSE_GRANTS).await?;
            }
            Ok(())
        })
    }

    /// Shuts a person out, or lets them in again.
    pub async fn block(&self, person: i64, blocked: bool) -> Result<()> {
        let done =
            transaction!(self, |tx| query("update person set blocked = $1 where id = $2").bind(blocked).bind(person).execute(&mut tx))?;
        if done == 1 { Ok(()) } else { Err(StoreError::UnknownPerson(person)) }
    }

    /// Everybody who may be told something: their numbers, which are those of their private chats.
    pub async fn people(&self, most: u32) -> Result<Vec<i64>> {
        query(
            "select id from person where blocked = 0 and welcomed = 1 and not exists (select 1 from chat where chat.id = person.id and gone = 1)
             order by id limit $1",
        )
        .bind(most)
        .scalars(&mut self.read().await?)
        .await
    }

    /// Makes a way in.
    pub async fn invite(&self, invite: &Invite) -> Result<()> {
        transaction!(self, |tx| query(
            "insert into invite (code, credits, uses_left, expires_ms, created_by, created_ms) values ($1, $2, $3, $4, $5, $6)
             on conflict do nothing",
        )
        .bind(&invite.code)
        .bind(invite.credits)
        .bind(invite.uses)
        .bind(invite.expires_ms)
        .bind(invite.created_by)
        .bind(now_ms())
        .execute(&mut tx))?;
        Ok(())
    }

    /// How much there is of what, and what was charged since then.
    pub async fn totals(&self, since_ms: i64) -> Result<Totals> {
        let mut read = self.read().await?;
        let people: i64 = query("select count(*) from person where welcomed = 1 or invited = 1").scalar(&mut read).await?;
        let phases = query("select phase, count(*) as number from project group by phase order by phase").all(&mut read).await?;
        let charged = query("select cast(coalesce(sum(amount), 0) as bigint) from entry where kind = 'charge' and at_ms > $1")
            .bind(since_ms)
            .scalar(&mut read)
            .await?;
        Ok(Totals {
            people: u64::try_from(people).unwrap_or_default(),
            projects: phases.iter().map(|row| (row.get("phase"), row.get("number"))).collect(),
            charged,
        })
    }

    /// How a person's talk in a chat stands.
    pub async fn dialog(&self, chat: i64, person: i64) -> Result<Dialog> {
        let row = query("select project, expecting from dialog where chat = $1 and person = $2")
            .bind(chat)
            .bind(person)
            .optional(&mut self.read().await?)
            .await?;
        Ok(row.map_or_else(Dialog::default, |row| Dialog {
            project: row.get("project"),
            expecting: from_json("dialog", &row.get::<String>("expecting")).unwrap_or_default(),
        }))
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

    /// Notes whether a chat takes messages.
    pub async fn chat_is_gone(&self, chat: i64, gone: bool) -> Result<()> {
        transaction!(self, |tx| query("insert into chat (id, gone) values ($1, $2) on conflict (id) do update set gone = $2")
            .bind(chat)
            .bind(gone)
            .execute(&mut tx))?;
        self.wake();
        Ok(())
    }

    /// Whether a chat takes no messages.
    pub async fn is_gone(&self, chat: i64) -> Result<bool> {
        let row = query("select 1 from chat where id = $1 and gone = 1").bind(chat).optional(&mut self.read().await?).await?;
        Ok(row.is_some())
    }

    /// A group got another number. Messages of the old one can't be changed any more.
    pub async fn chat_moved(&self, from: i64, to: i64) -> Result<()> {
        transaction!(self, |tx| async {
            query("delete from dialog where chat = $2 and person in (select person from dialog where chat = $1)")
                .bind(from)
                .bind(to)
                .later(&mut tx);
            for sql in [
                "update dialog set chat = $2 where chat = $1",
                "update followed set chat = $2 where chat = $1",
                "update inbox set chat = $2 where chat = $1",
                "update outbox set chat = $2, message = null where chat = $1",
            ] {
                query(sql).bind(from).bind(to).later(&mut tx);
            }
            Ok(())
        })?;
        self.wake();
        Ok(())
    }
}

/// Lets somebody in who has a code. Somebody who is in already uses nothing up.
pub(super) async fn redeem(tx: &mut Tx, invitation: &Invitation) -> Result<()> {
    let first = query("update person set invited = 1 where id = $1 and invited = 0").bind(invitation.person).execute(tx).await?;
    if first == 0 {
        return Ok(());
    }
    let row = query("update invite set uses_left = uses_left - 1 where code = $1 and uses_left > 0 and expires_ms > $2 returning credits")
        .bind(&invitation.code)
        .bind(now_ms())
        .optional(tx)
        .await?;
    let Some(row) = row else { return Err(StoreError::NoInvite) };
    let credits: NanoUsd = row.get("credits");
    let wallet: String = query("select wallet from person where id = $1").bind(invitation.person).scalar(tx).await?;
    if credits > NanoUsd::ZERO {
        ledger::grant(tx, &wallet, credits, &format!("invite:{wallet}"), HOUSE_GRANTS).await?;
    }
    Ok(())
}
