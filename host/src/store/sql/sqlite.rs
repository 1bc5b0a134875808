//! The store of one machine: one SQLite file, one writer, a few readers beside it.

use super::super::{Result, StoreError};
use super::group::{Member, Writer};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads beside the writer; more would only wait for the same two cores.
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process's transaction, which is a few milliseconds long.
const BUSY_TIMEOUT_S: u64 = 10;

/// How the lock of a process that opens the file ends.
const OPENING: &str = "opening";

/// Waits until no other process opens the file. The lock ends with the handle, or with the process.
async fn alone(path: PathBuf) -> Result<File> {
    let failed = |error| StoreError::LockFile { path: path.clone(), error };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.map_err(|_| StoreError::Undone("the process ends".to_owned()))?.map_err(failed)
}

/// The database of one data directory.
#[derive(Clone, Debug)]
pub(in crate::store) struct Sqlite {
    writer: Writer,
    read: SqlitePool,
}

impl Sqlite {
    /// Opens the file, making and migrating it where needed.
    pub(in crate::store) async fn open(file: &Path) -> Result<Sqlite> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a transaction that was acknowledged survives a crash of the machine as far as the disk keeps its word.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))
            .disable_statement_logging();
        // Two processes that make the same tables at one time would get in each other's way; SQLite itself knows nothing of migrations.
        let _alone = alone(file.with_extension(OPENING)).await?;
        let mut connection = options.connect().await?;
        sqlx::migrate!("../migrations/sqlite").run(&mut connection).await.map_err(super::super::migration_failed)?;
        // A connection to a file does not go away by itself, so it is not tried out each time.
        let read = SqlitePoolOptions::new().max_connections(READERS_MAX).test_before_acquire(false).connect_with(options.clone()).await?;
        Ok(Sqlite { writer: Writer::new(options, connection), read })
    }

    /// Begins a transaction that no other writer can overtake.
    pub(super) async fn begin(&self) -> Result<Member> {
        self.writer.begin().await
    }

    /// A connection that sees what is committed.
    pub(super) async fn read(&self) -> Result<PoolConnection<sqlx::Sqlite>> {
        Ok(self.read.acquire().await?)
    }

    /// Lets the file grow no further, to see what a full disk does.
    pub(in crate::store) async fn limit_pages(&self, pages: i64) -> Result<()> {
        self.writer.run(format!("pragma max_page_count = {pages}")).await
    }
}
