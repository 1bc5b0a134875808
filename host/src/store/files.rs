//! Files by content: blobs, trees and the snapshot of every accepted task.

use super::{Result, Store, from_json, now_ms, to_json};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files, sha256, tree_entries, tree_sha256};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};
use std::collections::BTreeMap;

/// The state of the files after an accepted task.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts the accepted tasks, from 1.
    pub number: i64,
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// What was done.
    pub summary: String,
    /// The files' digest.
    pub tree: String,
    /// When.
    pub accepted_ms: i64,
}

impl Store {
    /// Stores a tree and returns its digest.
    pub async fn save_files(&self, files: &Files) -> Result<String> {
        let mut tx = self.begin().await?;
        save(&mut tx, files).await?;
        tx.commit().await?;
        Ok(tree_sha256(files))
    }

    /// The files of a tree.
    pub async fn files(&self, tree: &str) -> Result<Files> {
        let Some(entries) =
            sqlx::query_scalar::<_, String>("select entries from tree where sha256 = ?").bind(tree).fetch_optional(&self.read).await?
        else {
            return Ok(Files::new());
        };
        let entries: BTreeMap<ProjectPath, (String, bool)> = from_json("tree", &entries)?;
        let mut files = Files::new();
        for (path, (digest, executable)) in entries {
            let bytes: Vec<u8> = sqlx::query_scalar("select bytes from blob where sha256 = ?").bind(&digest).fetch_one(&self.read).await?;
            files.insert(path, File { bytes: bytes.into(), executable });
        }
        Ok(files)
    }

    /// The accepted states of a project, oldest first.
    pub async fn snapshots(&self, project: &str) -> Result<Vec<Snapshot>> {
        let rows = sqlx::query("select * from snapshot where project = ? order by number").bind(project).fetch_all(&self.read).await?;
        Ok(rows
            .iter()
            .map(|row| Snapshot {
                number: row.get("number"),
                task: row.get("task"),
                title: row.get("title"),
                summary: row.get("summary"),
                tree: row.get("tree"),
                accepted_ms: row.get("accepted_ms"),
            })
            .collect())
    }
}

pub(super) async fn save(tx: &mut SqliteConnection, files: &Files) -> Result<()> {
    for file in files.values() {
        sqlx::query("insert into blob (sha256, bytes) values (?, ?) on conflict do nothing")
            .bind(sha256(&file.bytes))
            .bind(file.bytes.to_vec())
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("insert into tree (sha256, entries) values (?, ?) on conflict do nothing")
        .bind(tree_sha256(files))
        .bind(to_json(&tree_entries(files)))
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn snapshot(
    tx: &mut Transaction<'static, Sqlite>,
    project: &str,
    task: &str,
    title: &str,
    summary: &str,
    tree: &str,
) -> Result<()> {
    sqlx::query(
        "insert into snapshot (project, number, task, title, summary, tree, accepted_ms)
         values (?1, (select coalesce(max(number), 0) + 1 from snapshot where project = ?1), ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(project)
    .bind(task)
    .bind(title)
    .bind(summary)
    .bind(tree)
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
