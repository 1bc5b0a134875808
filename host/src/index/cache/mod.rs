//! The file of one index: what is known of each file of a tree, its chunks, names and words. SQLite's transactions keep all of them at
//! the same state, and its full-text index gives the same scores whatever the order in which files came and went, so an index that was
//! brought up to date is equal to one made anew. The only SQL outside of the store.

mod read;
mod vectors;
mod write;

pub use read::{Found, Known, Left, Named, Status};
pub use write::{Read, Row};

use super::{Freshness, IndexError, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Row as _, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SCHEMA: &str = include_str!("schema.sql");
/// The form of the file and what a word is; another one makes every index anew.
const FORMAT: u32 = 1;
/// Queries at one time, with the one that writes.
const CONNECTIONS_MAX: u32 = 3;
/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Memory of a connection, in KiB.
const CACHE_KIB: i64 = 16 * 1024;
/// How much of the file is read where the system keeps it, without a copy.
const MAPPED_BYTES: u64 = 1024 * 1024 * 1024;

/// One index.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
    pool: SqlitePool,
}

impl Cache {
    /// Opens the file, or makes it. One that can't be read is made anew, as is one that another indexer made.
    pub async fn open(path: &Path, indexer: &str) -> Result<Cache> {
        let made_by = format!("{FORMAT} {indexer}");
        match Cache::open_as_it_is(path).await {
            Ok(cache) if cache.made_by().await.is_ok_and(|known| known.as_deref() == Some(&made_by)) => return Ok(cache),
            Ok(cache) => cache.pool.close().await,
            Err(_) => {}
        }
        delete(path)?;
        let cache = Cache::open_as_it_is(path).await?;
        cache.create(&made_by).await?;
        Ok(cache)
    }

    /// The index that is there, whatever made it; none where there is none.
    pub async fn open_to_read(path: &Path) -> Result<Option<Cache>> {
        if !path.exists() {
            return Ok(None);
        }
        let cache = Cache::open_as_it_is(path).await?;
        Ok(cache.made_by().await?.is_some_and(|made_by| made_by.starts_with(&format!("{FORMAT} "))).then_some(cache))
    }

    async fn open_as_it_is(path: &Path) -> Result<Cache> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(path, error))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A crash of the machine may lose the last update, which is made again; it never leaves half of one.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("cache_size", (-CACHE_KIB).to_string())
            .pragma("mmap_size", MAPPED_BYTES.to_string())
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).test_before_acquire(false).connect_with(options).await;
        Ok(Cache { path: path.to_owned(), pool: pool.map_err(|error| failed(path, error))? })
    }

    async fn create(&self, made_by: &str) -> Result<()> {
        let mut tx = self.pool.begin_with("begin immediate").await.map_err(|error| self.failed(error))?;
        // Another process may have been first.
        let tables = sqlx::query("select count(*) from sqlite_schema where name = 'about'").fetch_one(&mut *tx).await;
        if tables.map_err(|error| self.failed(error))?.get::<i64, _>(0) > 0 {
            return Ok(());
        }
        sqlx::raw_sql(SCHEMA).execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        let about = sqlx::query("insert into about (one, made_by, generation, tree, pending) values (1, ?, 0, '', 0)").bind(made_by);
        about.execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        tx.commit().await.map_err(|error| self.failed(error))
    }

    async fn made_by(&self) -> Result<Option<String>> {
        let tables = sqlx::query("select count(*) from sqlite_schema where name = 'about'").fetch_one(&self.pool).await;
        if tables.map_err(|error| self.failed(error))?.get::<i64, _>(0) == 0 {
            return Ok(None);
        }
        let row = sqlx::query("select made_by from about").fetch_optional(&self.pool).await.map_err(|error| self.failed(error))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// How fresh what is read is.
    pub async fn fresh(&self) -> Result<Freshness> {
        let row = sqlx::query("select generation, tree, pending from about").fetch_one(&self.pool).await;
        let row = row.map_err(|error| self.failed(error))?;
        Ok(Freshness { generation: row.get::<i64, _>(0).unsigned_abs(), tree: row.get(1), pending_files: row.get(2) })
    }

    /// Lets the file grow no further, to see what a full disk does.
    pub async fn limit_pages(&self, pages: i64) -> Result<()> {
        // The limit is a connection's own.
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            connections.push(self.pool.acquire().await.map_err(|error| self.failed(error))?);
        }
        for connection in &mut connections {
            let limit = sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
            sqlx::raw_sql(limit).execute(&mut **connection).await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until nothing is under way in it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn failed(&self, error: impl std::fmt::Display) -> IndexError {
        failed(&self.path, error)
    }
}

/// Deletes an index with what SQLite keeps beside it.
pub fn delete(path: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(path, error)),
            _ => {}
        }
    }
    Ok(())
}

fn failed(path: &Path, error: impl std::fmt::Display) -> IndexError {
    IndexError::Cache { path: path.display().to_string(), why: error.to_string() }
}
