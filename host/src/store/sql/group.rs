//! Transactions of one file, written through to the disk in groups.
//!
//! SQLite has one writer, and a commit waits for the disk. Transactions that arrive while another one works take part in the same
//! commit: each is a savepoint of the group's transaction and returns when that is on the disk, or fails with it. The lock of the
//! writer is first come, first served, and whoever commits stands in the same line: so a group takes in who waited already, and nobody
//! waits for later ones.
//!
//! Callers leave at any await (a stream that ends drops its checkpoint halfway), so nothing here may be half done: what a caller left
//! behind is undone by whoever comes next, completing a transaction has no await before it counts, and undoing can be done twice.

use super::super::{Result, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

/// How the first member of a group begins. It can be undone with the whole group.
const BEGIN: &[&str] = &["begin immediate"];
/// How the others begin, in turns. Only one savepoint exists at a time: where the statements that make it did not all run, undoing it
/// fails, and can't take another member's work along unnoticed.
const SECOND: &[&str] = &["savepoint a"];
const EVEN: &[&str] = &["release b", "savepoint a"];
const ODD: &[&str] = &["release a", "savepoint b"];

/// The one writer of a file.
#[derive(Clone, Debug)]
pub(in crate::store) struct Writer {
    group: Arc<Mutex<Group>>,
}

/// The group that is being put together.
#[derive(Debug)]
struct Group {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// Members that did their work and wait for the commit. While there are any, the file's transaction is open.
    waiting: Vec<oneshot::Sender<Result<()>>>,
    /// What began a member's work that is not complete yet, or was dropped halfway.
    unfinished: Option<&'static [&'static str]>,
    /// What made the savepoint that exists, if one does.
    savepoint: Option<&'static [&'static str]>,
}

/// A transaction that takes part in a group.
pub(in crate::store) struct Member {
    group: Option<OwnedMutexGuard<Group>>,
    writer: Writer,
    opening: &'static [&'static str],
}

impl Writer {
    /// The writer of this file.
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Writer {
        let group = Group { options, connection: Some(connection), waiting: Vec::new(), unfinished: None, savepoint: None };
        Writer { group: Arc::new(Mutex::new(group)) }
    }

    /// Begins a transaction that sees what all before it did. Its first statements are [`Member::opening`].
    pub(super) async fn begin(&self) -> Result<Member> {
        let group = self.group.clone().lock_owned().await;
        let mut member = Member { group: Some(group), writer: self.clone(), opening: BEGIN };
        let group = member.group();
        group.undo_unfinished().await;
        group.connect().await?;
        member.opening = match (group.waiting.is_empty(), group.savepoint) {
            (true, _) => BEGIN,
            (false, None) => SECOND,
            (false, Some(ODD)) => EVEN,
            (false, Some(_)) => ODD,
        };
        Ok(member)
    }

    /// Runs a statement that is no transaction.
    pub(super) async fn run(&self, statement: String) -> Result<()> {
        let mut group = self.group.lock().await;
        group.undo_unfinished().await;
        group.commit().await;
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(group.connect().await?).await?;
        Ok(())
    }

    /// Ends the group, once everybody who stood in line before has joined it.
    async fn commit(self) {
        let mut group = self.group.lock().await;
        group.undo_unfinished().await;
        group.commit().await;
    }
}

impl Group {
    async fn connect(&mut self) -> Result<&mut SqliteConnection> {
        if self.connection.is_none() {
            self.connection = Some(self.options.connect().await?);
        }
        Ok(self.connection.as_mut().expect("it was just made"))
    }

    /// Takes back what a member left behind that failed or was dropped. Where even that fails (a full disk makes SQLite undo the
    /// whole transaction by itself), nobody of the group may be told that it succeeded.
    async fn undo_unfinished(&mut self) {
        let Some(opening) = self.unfinished else { return };
        let undo = match opening {
            BEGIN => return self.abandon(None).await,
            ODD => "rollback to b",
            _ => "rollback to a",
        };
        match self.run(undo).await {
            Ok(()) => (self.unfinished, self.savepoint) = (None, Some(opening)),
            Err(error) => self.abandon(Some(error)).await,
        }
    }

    async fn commit(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.run("commit").await {
            Ok(()) => {
                self.savepoint = None;
                self.waiting.drain(..).for_each(|member| drop(member.send(Ok(()))));
            }
            Err(error) => self.abandon(Some(error)).await,
        }
    }

    /// Undoes the whole group.
    async fn abandon(&mut self, why: Option<StoreError>) {
        if self.run("rollback").await.is_err()
            && let Some(connection) = self.connection.take()
        {
            // Its state is unknown; the next group gets a new one.
            let _ = connection.close().await;
        }
        (self.unfinished, self.savepoint) = (None, None);
        for member in self.waiting.drain(..) {
            let error = why.as_ref().map_or_else(|| StoreError::Undone("a writer left".to_owned()), StoreError::shared);
            drop(member.send(Err(error)));
        }
    }

    async fn run(&mut self, statement: &'static str) -> Result<()> {
        let Some(connection) = &mut self.connection else { return Err(StoreError::Undone("the connection is gone".to_owned())) };
        sqlx::query(statement).execute(connection).await?;
        Ok(())
    }
}

impl Member {
    /// The statements that begin the transaction, to be run before any other.
    pub(super) fn opening(&self) -> &'static [&'static str] {
        self.opening
    }

    /// The connection, to work inside of the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        let opening = self.opening;
        let group = self.group();
        group.unfinished = Some(opening);
        group.connection.as_mut().expect("a member begins with a connection")
    }

    fn group(&mut self) -> &mut Group {
        self.group.as_mut().expect("a member holds its group until it ends")
    }

    /// Completes the work and waits until it is on the disk. The opening statements have been run.
    pub(super) async fn commit(mut self) -> Result<()> {
        let (sender, committed) = oneshot::channel();
        let mut group = self.group.take().expect("a member holds its group until it ends");
        if let Some(opening) = group.unfinished.take().filter(|opening| *opening != BEGIN) {
            group.savepoint = Some(opening);
        }
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
        self.group().undo_unfinished().await;
    }

    /// Leaves the group; what was done is undone by whoever comes next, at the latest by the commit.
    fn give_back(&mut self) {
        let Some(group) = self.group.take() else { return };
        // An open transaction keeps other processes from writing, and nobody is on the way to end it.
        let left_open = group.unfinished.is_some() && group.waiting.is_empty();
        drop(group);
        if left_open && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.writer.clone().commit());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.give_back();
    }
}
