//! Files by content: blobs, trees and the snapshot of every accepted task.

use super::{Result, Store, Tx, from_json, now_ms, query, to_json, transaction};
use crate::workspace::path::ProjectPath;
use crate::workspace::{File, Files, sha256, tree_entries, tree_sha256};
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
        transaction!(self, |tx| save(&mut tx, files))?;
        Ok(tree_sha256(files))
    }

    /// Stores bytes by their digest.
    pub async fn save_blob(&self, bytes: &[u8]) -> Result<()> {
        transaction!(self, |tx| async {
            query("insert into blob (sha256, bytes) values ($1, $2) on conflict do nothing")
                .bind(sha256(bytes))
                .bind(bytes.to_vec())
                .later(&mut tx);
            Ok(())
        })
    }

    /// The bytes with this digest.
    pub async fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        let row = query("select bytes from blob where sha256 = $1").bind(digest).optional(&mut self.read().await?).await?;
        Ok(row.map(|row| row.get("bytes")))
    }

    /// The files of a tree.
    pub async fn files(&self, tree: &str) -> Result<Files> {
        let mut read = self.read().await?;
        let Some(row) = query("select entries from tree where sha256 = $1").bind(tree).optional(&mut read).await? else {
            return Ok(Files::new());
        };
        let entries: BTreeMap<ProjectPath, (String, bool)> = from_json("tree", &row.get::<String>("entries"))?;
        let mut files = Files::new();
        for (path, (digest, executable)) in entries {
            let bytes: Vec<u8> = query("select bytes from blob where sha256 = $1").bind(&digest).scalar(&mut read).await?;
            files.insert(path, File { bytes: bytes.into(), executable });
        }
        Ok(files)
    }

    /// Notes the report that is handed out with a project, so that it is known again when the project was changed since.
    pub async fn note_delivery(&self, project: &str, report_sha256: &str) -> Result<()> {
        transaction!(self, |tx| async {
            query("insert into delivery (project, report_sha256, at_ms) values ($1, $2, $3) on conflict do nothing")
                .bind(project)
                .bind(report_sha256)
                .bind(now_ms())
                .later(&mut tx);
            Ok(())
        })
    }

    /// Whether this report was handed out with the project.
    pub async fn was_delivered(&self, project: &str, report_sha256: &str) -> Result<bool> {
        let row = query("select 1 from delivery where project = $1 and report_sha256 = $2")
            .bind(project)
            .bind(report_sha256)
            .optional(&mut self.read().await?)
            .await?;
        Ok(row.is_some())
    }

    /// The accepted states of a project, oldest first.
    pub async fn snapshots(&self, project: &str) -> Result<Vec<Snapshot>> {
        let rows = query("select * from snapshot where project = $1 order by number").bind(project).all(&mut self.read().await?).await?;
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

pub(super) async fn save(tx: &mut Tx, files: &Files) -> Result<()> {
    for file in files.values() {
        query("insert into blob (sha256, bytes) values ($1, $2) on conflict do nothing")
            .bind(sha256(&file.bytes))
            .bind(file.bytes.to_vec())
            .execute(tx)
            .await?;
    }
    query("insert into tree (sha256, entries) values ($1, $2) on conflict do nothing")
        .bind(tree_sha256(files))
        .bind(to_json(&tree_entries(files)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets what was accepted after this task. The files themselves stay, for runs that began from them.
pub(super) async fn forget_after(tx: &mut Tx, project: &str, task: &str) -> Result<()> {
    query("delete from snapshot where project = $1 and number > (select max(number) from snapshot where project = $1 and task = $2)")
        .bind(project)
        .bind(task)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn snapshot(tx: &mut Tx, project: &str, task: &str, title: &str, summary: &str, tree: &str) -> Result<()> {
    query(
        "insert into snapshot (project, number, task, title, summary, tree, accepted_ms)
         values ($1, (select coalesce(max(number), 0) + 1 from snapshot where project = $1), $2, $3, $4, $5, $6)",
    )
    .bind(project)
    .bind(task)
    .bind(title)
    .bind(summary)
    .bind(tree)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(())
}
