//! How far chats were told of their projects.

use super::super::{Result, Store, query, to_json, transaction};
use super::{Letter, Used, outbox};
use crate::chat::Expecting;

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

impl Store {
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

    /// The last project that was begun in a chat, whoever began it.
    pub async fn project_of_chat(&self, chat: i64) -> Result<Option<String>> {
        let row = query(
            "select followed.project as id from followed join project on project.id = followed.project
             where followed.chat = $1 order by project.created_ms desc limit 1",
        )
        .bind(chat)
        .optional(&mut self.read().await?)
        .await?;
        Ok(row.map(|row| row.get("id")))
    }

    /// The project that a message of ours is about.
    pub async fn project_of_message(&self, chat: i64, message: i64) -> Result<Option<String>> {
        let row = query("select project from outbox where chat = $1 and message = $2 and project is not null")
            .bind(chat)
            .bind(message)
            .optional(&mut self.read().await?)
            .await?;
        Ok(row.map(|row| row.get("project")))
    }

    /// Tells a chat of a version of its project; nothing happens where it was told of another one meanwhile. Where it is told something
    /// new, the buttons of what it was told before go. With `speak_of`, the owner's next words there are about this project.
    pub async fn told(&self, moved: &Moved, version: i64, told: &str, speak_of: bool, letters: &[Letter]) -> Result<bool> {
        let done = transaction!(self, |tx| async {
            let done = query("update followed set told_version = $1, told = $2 where project = $3 and told_version = $4")
                .bind(version)
                .bind(told)
                .bind(&moved.project)
                .bind(moved.version)
                .execute(&mut tx)
                .await?;
            if done == 1 {
                if told != moved.told {
                    outbox::take_buttons(&mut tx, &Used::Project(moved.project.clone())).await?;
                }
                if speak_of {
                    query(
                        "insert into dialog (chat, person, expecting, project) values ($1, $2, $3, $4)
                         on conflict (chat, person) do update set project = $4",
                    )
                    .bind(moved.chat)
                    .bind(moved.person)
                    .bind(to_json(&Expecting::Anything))
                    .bind(&moved.project)
                    .later(&mut tx);
                }
                for letter in letters {
                    outbox::post(&mut tx, letter);
                }
            }
            Ok(done == 1)
        })?;
        self.wake();
        Ok(done)
    }
}
