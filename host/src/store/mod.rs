//! Everything that outlives a process, in one SQLite file. The only code that speaks SQL.
//!
//! One noun per file: [`projects`], [`runs`] (with the journal of host calls), [`ledger`], [`files`], [`index`], [`audit`].
//! One connection writes, so every transaction sees the last one's result; a few others read beside it.

pub mod audit;
pub mod files;
pub mod index;
pub mod ledger;
pub mod projects;
pub mod runs;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Reads beside the writer; more would only wait for the same two cores.
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process's transaction, which is a few milliseconds long.
const BUSY_TIMEOUT_S: u64 = 10;

/// The database of one data directory.
#[derive(Clone, Debug)]
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
}

/// What can go wrong with stored things.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such project.
    #[error("there is no project `{0}`; `atelier history` lists them")]
    UnknownProject(String),
    /// Somebody else changed it first.
    #[error("project `{0}` was changed by another process; try again")]
    Conflict(String),
    /// A ceiling that was passed already.
    #[error("{spent} are spent already; choose a ceiling above that")]
    CeilingBelowSpent {
        /// How much.
        spent: crate::ledger::NanoUsd,
    },
    /// The disk is full.
    #[error("the disk that holds the data directory is full; nothing was lost. Free some space and run the command again")]
    Full,
    /// A stored value that this version can't read.
    #[error("the stored {what} can't be read: {why}. Was it written by a newer version?")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// The parser's message.
        why: String,
    },
    /// Anything else.
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
}

/// SQLite's result code for a full disk.
const SQLITE_FULL: &str = "13";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let full = error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == SQLITE_FULL);
        if full { StoreError::Full } else { StoreError::Database(error) }
    }
}

/// The result of everything in here.
pub type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Opens the file, making and migrating it where needed.
    pub async fn open(file: &Path) -> Result<Store> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a transaction that was acknowledged survives a crash of the machine as far as the disk keeps its word.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S));
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../migrations/sqlite")
            .run(&write)
            .await
            .map_err(|error| StoreError::Unreadable { what: "database", why: error.to_string() })?;
        let read = SqlitePoolOptions::new().max_connections(READERS_MAX).connect_with(options).await?;
        Ok(Store { write, read })
    }

    /// Begins a transaction that no other writer can overtake.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        match self.write.begin_with("begin immediate").await {
            // A full disk makes SQLite roll back by itself, which the driver does not notice: this connection can't be used again.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.write.acquire().await?.close().await?;
                Ok(self.write.begin_with("begin immediate").await?)
            }
            begun => Ok(begun?),
        }
    }

    /// Lets the file grow no further, to see what a full disk does.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: i64) -> Result<()> {
        sqlx::query(sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"))).execute(&self.write).await?;
        Ok(())
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// Our own values, stored as JSON.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own nouns have string keys and no failing serializer")
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable { what, why: error.to_string() })
}
