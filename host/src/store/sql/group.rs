//! Transactions of one file, written through to the disk in groups.
//!
//! SQLite has one writer, and a commit waits for the disk. Transactions that arrive while another one works take part in the same
//! commit: each is a savepoint of the group's transaction and returns when that is on the disk, or fails with it. The lock of the
//! writer is first come, first served, and whoever commits stands in the same line: so a group takes in who waited already, and nobody
//! waits for later ones.
//!
//! Callers leave at any await (a stream that ends drops its checkpoint halfway), so nothing here may be half done: a transaction begins in
//! a task of its own, completing it has no await before it counts, and taking back can be done twice.

use super::super::{Result, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// The one writer of a file.
#[derive(Clone, Debug)]
pub(in crate::store) struct Writer {
    group: Arc<Mutex<Group>>,
}

/// The group that is being put together.
#[derive(Debug)]
struct Group {
    pool: SqlitePool,
    /// Open while a transaction of the file is.
    connection: Option<PoolConnection<Sqlite>>,
    /// Members that did their work and wait for the commit.
    waiting: Vec<oneshot::Sender<Result<()>>>,
    /// A member's work that was not completed yet, or was dropped halfway.
    unfinished: bool,
}

/// A transaction that takes part in a group.
pub(in crate::store) struct Member {
    group: Option<OwnedMutexGuard<Group>>,
    writer: Writer,
}

impl Writer {
    /// The writer of this pool, which has one connection.
    pub(super) fn new(pool: SqlitePool) -> Writer {
        Writer { group: Arc::new(Mutex::new(Group { pool, connection: None, waiting: Vec::new(), unfinished: false })) }
    }

    /// Begins a transaction that sees what all before it did.
    pub(super) async fn begin(&self) -> Result<Member> {
        let writer = self.clone();
        let begun = tokio::spawn(async move {
            let mut group = writer.group.clone().lock_owned().await;
            group.undo_unfinished().await;
            if let Err(error) = group.begin_member().await {
                // Without a savepoint of its own there is nothing to go back to but another member's.
                group.abandon(Some(error.shared())).await;
                return Err(error);
            }
            group.unfinished = true;
            // Where nobody waits for it any more, it is dropped and gives the group back.
            Ok(Member { group: Some(group), writer })
        });
        begun.await.unwrap_or_else(|_| Err(StoreError::Undone("a writer left".to_owned())))
    }

    /// Ends the group, once everybody who stood in line before has joined it.
    async fn commit(self) {
        let mut group = self.group.lock().await;
        group.undo_unfinished().await;
        group.commit().await;
    }
}

impl Group {
    async fn begin_member(&mut self) -> Result<()> {
        match &mut self.connection {
            Some(connection) => run(connection, "savepoint member").await,
            None => {
                let mut connection = self.pool.acquire().await?;
                run(&mut connection, "begin immediate").await?;
                self.connection = Some(connection);
                Ok(())
            }
        }
    }

    /// Takes back what a member left behind that failed or was dropped. Where even that fails (a full disk makes SQLite undo the
    /// whole transaction by itself), nobody of the group may be told that it succeeded.
    async fn undo_unfinished(&mut self) {
        if !self.unfinished {
            return;
        }
        if self.waiting.is_empty() {
            self.abandon(None).await;
        } else if let Some(connection) = &mut self.connection
            && let Err(error) = run(connection, "rollback to member").await
        {
            self.abandon(Some(error)).await;
        }
        self.unfinished = false;
    }

    async fn commit(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        match run(connection, "commit").await {
            Ok(()) => {
                self.connection = None;
                self.waiting.drain(..).for_each(|member| drop(member.send(Ok(()))));
            }
            Err(error) => self.abandon(Some(error)).await,
        }
    }

    /// Undoes the whole group.
    async fn abandon(&mut self, why: Option<StoreError>) {
        let undone = match &mut self.connection {
            Some(connection) => run(connection, "rollback").await.is_ok(),
            None => true,
        };
        if let Some(connection) = self.connection.take().filter(|_| !undone) {
            // Its state is unknown; the next group gets a new one.
            let _ = connection.close().await;
        }
        for member in self.waiting.drain(..) {
            let error = why.as_ref().map_or_else(|| StoreError::Undone("a writer left".to_owned()), StoreError::shared);
            drop(member.send(Err(error)));
        }
    }
}

impl Member {
    /// The connection, inside of the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        let group = self.group.as_mut().expect("a member holds its group until it ends");
        group.connection.as_mut().expect("a group with members has its connection")
    }

    /// Completes the work and waits until it is on the disk. Its savepoint stays until then; a later one of the same name hides it.
    pub(super) async fn commit(mut self) -> Result<()> {
        let (sender, committed) = oneshot::channel();
        let mut group = self.group.take().expect("a member holds its group until it ends");
        group.unfinished = false;
        group.waiting.push(sender);
        let first = group.waiting.len() == 1;
        drop(group);
        if first {
            // A task of its own, so that nobody's leaving keeps the others from their commit.
            tokio::spawn(self.writer.clone().commit());
        }
        committed.await.unwrap_or_else(|_| Err(StoreError::Undone("a writer left".to_owned())))
    }

    /// Takes the work back at once.
    pub(super) async fn rollback(mut self) {
        if let Some(mut group) = self.group.take() {
            group.undo_unfinished().await;
        }
    }

    /// Leaves the group; what was done is undone by whoever comes next, at the latest by the commit.
    fn give_back(&mut self) {
        if let Some(group) = self.group.take() {
            let idle = group.waiting.is_empty();
            drop(group);
            if idle && let Ok(runtime) = tokio::runtime::Handle::try_current() {
                // An open transaction keeps other processes from writing.
                runtime.spawn(self.writer.clone().commit());
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}
