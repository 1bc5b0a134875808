//! What came in: stored under its number before it is confirmed, done once, in the order of its chat.

use super::super::{Result, Store, now_ms, query, transaction};
use super::{ChatEffect, have};

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

impl Store {
    /// Takes in what came, once for each number.
    pub async fn receive(&self, received: &[Received]) -> Result<()> {
        if received.is_empty() {
            return Ok(());
        }
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

    /// How many updates came in, and how many of them have had no effect yet.
    pub async fn inbox_count(&self) -> Result<(i64, i64)> {
        let row = query("select count(*) as all_of_them, cast(coalesce(sum(1 - done), 0) as bigint) as open from inbox")
            .one(&mut self.read().await?)
            .await?;
        Ok((row.get("all_of_them"), row.get("open")))
    }

    /// How many updates of a chat came in since this time, up to this one.
    pub async fn heard_since(&self, chat: i64, since_ms: i64, update: i64) -> Result<i64> {
        query("select count(*) from inbox where chat = $1 and at_ms > $2 and update_id <= $3")
            .bind(chat)
            .bind(since_ms)
            .bind(update)
            .scalar(&mut self.read().await?)
            .await
    }

    /// Has an effect that changes no project.
    pub async fn have(&self, effect: &ChatEffect) -> Result<()> {
        transaction!(self, |tx| have(&mut tx, effect))?;
        self.wake();
        Ok(())
    }

    /// Lets go what was heard and said before this time, and buttons whose time is over.
    pub async fn forget_chats(&self, before_ms: i64) -> Result<()> {
        transaction!(self, |tx| async {
            query("delete from inbox where done = 1 and at_ms < $1").bind(before_ms).later(&mut tx);
            query("delete from outbox where state not in ('waiting', 'sending') and at_ms < $1 and name not like 'status.%'")
                .bind(before_ms)
                .later(&mut tx);
            query("delete from button where expires_ms < $1").bind(now_ms()).later(&mut tx);
            Ok(())
        })
    }
}
