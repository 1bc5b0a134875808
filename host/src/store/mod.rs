//! Everything that outlives a process, in one SQLite file or in a PostgreSQL database. The only code that speaks SQL.
//!
//! One noun per file: [`projects`], [`steps`] (what can be done of them, and by whom it is done), [`runs`] (with the journal of host
//! calls), [`ledger`], [`keys`], [`files`], [`presence`] (which processes live), [`chats`], [`trials`], [`audit`]. Each statement is written once for both databases; [`sql`] is where they differ.

pub mod audit;
pub mod chats;
pub mod files;
pub mod keys;
pub mod ledger;
pub mod presence;
pub mod projects;
pub mod runs;
mod sql;
pub mod steps;
pub mod trials;

use crate::ledger::{AMOUNT_MAX, NanoUsd};
pub use sql::listen::Listening;
use sql::{Database, Read, Tx, query, query_made};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::SystemTime;
use tokio::sync::watch;

/// The database's file in the data directory.
const FILE_NAME: &str = "atelier.sqlite";

/// The database of one data directory, or one that many machines share.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    /// The folder with the lock files, for a database that is a file.
    directory: Option<PathBuf>,
    policy: Policy,
    /// Counts how often this process took steps.
    claims: Arc<AtomicI64>,
    /// Changes when there may be something to do.
    work: watch::Sender<()>,
}

/// What the operator allows, as far as the database keeps to it.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What a user may get back within a day for work that failed; nothing at all is a policy as well.
    pub refund_limit: NanoUsd,
    /// Which part of an accepted ceiling may be spent before the user is asked to go on, in hundredths; 100 never asks.
    pub pause_percent: u32,
    /// How many model calls a project may make.
    pub calls_per_project: i64,
    /// How many steps of one project are worked on at one time.
    pub parallel_tasks: usize,
    /// How long a step may be without a sign of life of its worker, in milliseconds.
    pub lease_ms: i64,
    /// How many steps may wait for a worker before no project is begun any more.
    pub queue_max: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            refund_limit: AMOUNT_MAX,
            pause_percent: 100,
            calls_per_project: i64::MAX,
            parallel_tasks: 4,
            lease_ms: 15_000,
            queue_max: u64::MAX,
        }
    }
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
    /// Somebody else has the step by now.
    #[error("another worker took over the step {0}; what this one did meanwhile is not kept")]
    LeaseLost(String),
    /// An update whose effect was had before.
    #[error("update {0} was done before")]
    Done(i64),
    /// Nobody of this number ever spoke with us.
    #[error("nobody with the number {0} ever wrote to the bot")]
    UnknownPerson(i64),
    /// A way in that is not there, was used up or is too old.
    #[error("this invitation is unknown, used up or too old")]
    NoInvite,
    /// A payment that is not there, or can't go back.
    #[error("there is no such payment that could go back")]
    NoPayment,
    /// A purchase of which something is spent.
    #[error("{left} are left, and {needed} would have to go back")]
    CreditsSpent {
        /// What is there.
        left: NanoUsd,
        /// What was bought.
        needed: NanoUsd,
    },
    /// More waits than the workers can do soon.
    #[error(
        "{waiting} steps wait for a worker, the first for {seconds} s, and at most {max} may; nothing was begun. Try again later, or start more workers (`atelier serve`)"
    )]
    Crowded {
        /// Steps that wait.
        waiting: u64,
        /// How long the first has.
        seconds: i64,
        /// How many may.
        max: u64,
    },
    /// A ceiling that was passed already.
    #[error("{spent} are spent already; choose a ceiling above that")]
    CeilingBelowSpent {
        /// How much.
        spent: NanoUsd,
    },
    /// A payment that came again with other contents.
    #[error("`{reference}` was granted before as {amount} to wallet `{wallet}`; a reference is used once, so give this grant another one")]
    ReferenceUsed {
        /// The payment's id.
        reference: String,
        /// What it granted.
        amount: NanoUsd,
        /// To whom.
        wallet: String,
    },
    /// More than any account can have.
    #[error("{0} is more than an account can hold; the most is {max}", max = AMOUNT_MAX)]
    TooLarge(NanoUsd),
    /// A call that can't be corrected.
    #[error("call `{call}` can't be corrected: {why}")]
    NotAdjustable {
        /// `RUN/SEQ/REPEAT`.
        call: String,
        /// Why.
        why: &'static str,
    },
    /// There is no such key.
    #[error("there is no key `{0}`; `atelier keys list` lists them")]
    UnknownKey(String),
    /// The disk is full.
    #[error("the disk that holds the database is full; nothing was lost. Free some space and run the command again")]
    Full,
    /// The server of the database is away.
    #[error("the database does not answer ({0}); nothing was lost. When it is back, run the command again")]
    Away(String),
    /// A setting that names no database.
    #[error("ATELIER_DATABASE_URL: {0}; leave it out to use a file in the data directory")]
    Url(String),
    /// Another transaction of the same group failed on its way to the disk.
    #[error("the transaction was undone before it was written ({0}); nothing was lost. Run the command again")]
    Undone(String),
    /// A stored value that this version can't read.
    #[error("the stored {what} can't be read: {why}. Was it written by a newer version?")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// The parser's message.
        why: String,
    },
    /// A lock file of the data directory.
    #[error("{path}: {error}")]
    LockFile {
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
    /// Anything else.
    #[error("the database failed: {0}")]
    Database(sqlx::Error),
}

/// SQLite's result code for a full disk, and PostgreSQL's.
const DISK_FULL: &[&str] = &["13", "53100"];
/// PostgreSQL's codes for two transactions that can't both go on as they are; either may be made again.
const TRY_AGAIN: &[&str] = &["40001", "40P01"];
/// PostgreSQL's classes and codes for a server that is going or gone.
const GOING: &[&str] = &["57P01", "57P02", "57P03", "08000", "08003", "08006"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let is_one_of = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
        match &error {
            _ if is_one_of(DISK_FULL) => StoreError::Full,
            _ if is_one_of(GOING) => StoreError::Away("it is shutting down".to_owned()),
            sqlx::Error::Io(why) => StoreError::Away(why.kind().to_string()),
            sqlx::Error::PoolTimedOut => StoreError::Away("no connection in time".to_owned()),
            _ => StoreError::Database(error),
        }
    }
}

impl StoreError {
    /// Whether the same transaction may succeed when it is made again.
    fn is_transient(&self) -> bool {
        let error = match self {
            // Nothing of it was written, and it was another one's fault.
            StoreError::Undone(_) => return true,
            StoreError::Database(error) => error,
            _ => return false,
        };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| TRY_AGAIN.contains(&code.as_ref()))
    }

    /// The same for another member of the same group of transactions.
    fn shared(&self) -> StoreError {
        match self {
            StoreError::Full => StoreError::Full,
            other => StoreError::Undone(other.to_string()),
        }
    }
}

/// The result of everything in here.
pub type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Opens the file of this data directory, making and migrating it where needed.
    pub async fn open_file(directory: &Path) -> Result<Store> {
        let sqlite = sql::sqlite::Sqlite::open(&directory.join(FILE_NAME)).await?;
        Ok(Store::new(Database::Sqlite(sqlite), Some(directory.to_owned())))
    }

    /// Connects to a PostgreSQL database, making and migrating its tables where needed.
    pub async fn open_server(url: &str) -> Result<Store> {
        Ok(Store::new(Database::Postgres(sql::postgres::open(url).await?), None))
    }

    fn new(database: Database, directory: Option<PathBuf>) -> Store {
        Store { database, directory, policy: Policy::default(), claims: Arc::default(), work: watch::Sender::new(()) }
    }

    /// Whether other machines can work on the same projects.
    pub fn is_shared(&self) -> bool {
        self.directory.is_none()
    }

    /// Hears when there may be something to do. Whoever waits looks from time to time all the same: another process may have been
    /// unable to say so.
    pub fn work(&self) -> watch::Receiver<()> {
        self.work.subscribe()
    }

    fn wake(&self) {
        self.work.send_replace(());
    }

    /// Hears from other processes as well, as long as the result is kept; `None` where the database can't tell.
    pub async fn listen(&self) -> Result<Option<Listening>> {
        match &self.database {
            Database::Sqlite(_) => Ok(None),
            Database::Postgres(pool) => {
                let work = self.work.clone();
                sql::listen::listen(pool, steps::CHANNEL, move || work.send_replace(())).await.map(Some)
            }
        }
    }

    /// The same database under this policy.
    pub fn under(self, policy: Policy) -> Store {
        Store { policy, ..self }
    }

    async fn begin(&self) -> Result<Tx> {
        self.database.begin().await
    }

    async fn read(&self) -> Result<Read> {
        self.database.read().await
    }

    /// Lets the file grow no further, to see what a full disk does.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: i64) -> Result<()> {
        match &self.database {
            Database::Sqlite(sqlite) => sqlite.limit_pages(pages).await,
            Database::Postgres(_) => Ok(()),
        }
    }
}

/// Tries of a transaction that the database could not let stand beside another one.
const TRANSACTION_TRIES_MAX: u32 = 5;

/// Runs some work in a transaction and commits it; made again, a bounded number of times, where the database could not let it stand
/// beside another one.
macro_rules! transaction {
    ($store:expr, |$tx:ident| $work:expr) => {{
        let mut tries = 1;
        loop {
            let result = async {
                #[allow(unused_mut, reason = "some work takes the transaction by itself")]
                let mut $tx = $store.begin().await?;
                let done: crate::store::Result<_> = $work.await;
                match done {
                    Ok(done) => $tx.commit().await.map(|()| done),
                    Err(error) => {
                        $tx.rollback().await;
                        Err(error)
                    }
                }
            };
            let result: crate::store::Result<_> = result.await;
            match result {
                Err(error) if error.is_transient() && tries < crate::store::TRANSACTION_TRIES_MAX => tries += 1,
                result => break result,
            }
        }
    }};
}
use transaction;

fn migration_failed(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => error.into(),
        other => StoreError::Unreadable { what: "database", why: other.to_string() },
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
