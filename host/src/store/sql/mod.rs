//! One small face over SQLite and PostgreSQL, so that each rule of money and each step of a project is written once.
//!
//! The statements are the common subset of both (numbered parameters, `on conflict`, `returning`, recursive `with`); what differs is
//! here: how a transaction begins ([`sqlite`], [`postgres`]), how a row is locked ([`Tx::lock`]) and how statements travel ([`script`]).
//! Reading order: [`Query`], [`Database`], [`Tx`].

pub(super) mod group;
pub(super) mod listen;
pub(super) mod postgres;
mod row;
mod script;
pub(super) mod sqlite;

use super::Result;
pub(super) use row::{FromRow, Row};
pub(super) use script::several;
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

/// A parameter.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number, an amount, a time or a truth value.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Vec<u8>),
}

macro_rules! value_from {
    ($($kind:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$kind> for Value {
            fn from($value: $kind) -> Value {
                $made
            }
        })*
    };
}

value_from! {
    i64 => |value| Value::Int(Some(value));
    u32 => |value| Value::Int(Some(i64::from(value)));
    bool => |value| Value::Int(Some(i64::from(value)));
    // What does not fit is no count of anything; the largest number is refused or shown, never wrapped.
    u64 => |value| Value::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)));
    crate::ledger::NanoUsd => |value| Value::Int(Some(value.0));
    Option<i64> => |value| Value::Int(value);
    Option<u32> => |value| Value::Int(value.map(i64::from));
    &str => |value| Value::Text(Some(storable(value.to_owned())));
    &String => |value| Value::Text(Some(storable(value.clone())));
    String => |value| Value::Text(Some(storable(value)));
    Option<&str> => |value| Value::Text(value.map(|text| storable(text.to_owned())));
    Option<String> => |value| Value::Text(value.map(storable));
    &Option<String> => |value| Value::Text(value.clone().map(storable));
    Vec<u8> => |value| Value::Bytes(value);
}

/// PostgreSQL's texts have no NUL; both stores keep the same replacement, so that nothing depends on which one is there.
fn storable(text: String) -> String {
    match text.contains('\0') {
        true => text.replace('\0', "\u{fffd}"),
        false => text,
    }
}

/// A statement with its parameters `$1`, `$2`, …
pub(super) struct Query {
    sql: sqlx::SqlStr,
    values: Vec<Value>,
}

/// A statement that is written out in the code.
pub(super) fn query(sql: &'static str) -> Query {
    Query { sql: sqlx::SqlSafeStr::into_sql_str(sql), values: Vec::new() }
}

/// A statement put together from constants of the code; what comes from outside is bound.
pub(super) fn query_made(sql: String) -> Query {
    Query { sql: sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql)), values: Vec::new() }
}

impl Query {
    /// Gives the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        self
    }

    /// Runs it with the next statement whose result is wanted, at the latest before the commit. A failure is told then.
    pub(super) fn later(self, tx: &mut Tx) {
        tx.queued.push(self);
    }

    /// Runs it and says how many rows it touched.
    pub(super) async fn execute(self, on: &mut impl Speak) -> Result<u64> {
        Ok(script::single(on, self).await?.touched)
    }

    /// Every row.
    pub(super) async fn all(self, on: &mut impl Speak) -> Result<Vec<Row>> {
        Ok(script::single(on, self).await?.rows)
    }

    /// The row, if there is one.
    pub(super) async fn optional(self, on: &mut impl Speak) -> Result<Option<Row>> {
        Ok(script::single(on, self).await?.optional())
    }

    /// The row that must be there.
    pub(super) async fn one(self, on: &mut impl Speak) -> Result<Row> {
        script::single(on, self).await?.one()
    }

    /// The first column of the row that must be there.
    pub(super) async fn scalar<T: FromRow>(self, on: &mut impl Speak) -> Result<T> {
        Ok(self.one(on).await?.at(0))
    }

    /// The first column of every row.
    pub(super) async fn scalars<T: FromRow>(self, on: &mut impl Speak) -> Result<Vec<T>> {
        Ok(self.all(on).await?.iter().map(|row| row.at(0)).collect())
    }
}

const CLOCK_SQLITE: &str = "cast(unixepoch('subsec') * 1000 as integer)";
const CLOCK_POSTGRES: &str = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";

/// A connection of either kind.
pub(super) enum Link<'c> {
    /// To a file.
    Sqlite(&'c mut SqliteConnection),
    /// To a server.
    Postgres(&'c mut PgConnection),
}

/// What statements can be run on.
pub(super) trait Speak {
    /// The connection behind it.
    fn link(&mut self) -> Link<'_>;

    /// What is to be run before anything else.
    fn queued(&mut self) -> Vec<Query> {
        Vec::new()
    }
}

/// Where everything is stored.
#[derive(Clone, Debug)]
pub(super) enum Database {
    /// One file, for one machine.
    Sqlite(sqlite::Sqlite),
    /// A server, for many.
    Postgres(sqlx::PgPool),
}

impl Database {
    /// Begins a transaction. Dropping it undoes it.
    pub(super) async fn begin(&self) -> Result<Tx> {
        match self {
            Database::Sqlite(database) => {
                let member = database.begin().await?;
                Ok(Tx { queued: member.opening().iter().copied().map(query).collect(), kind: TxKind::Sqlite(member) })
            }
            Database::Postgres(pool) => Ok(Tx { queued: Vec::new(), kind: TxKind::Postgres(postgres::begin(pool).await?) }),
        }
    }

    /// A connection to read what is committed.
    pub(super) async fn read(&self) -> Result<Read> {
        match self {
            Database::Sqlite(database) => Ok(Read::Sqlite(database.read().await?)),
            Database::Postgres(pool) => Ok(Read::Postgres(pool.acquire().await?)),
        }
    }
}

/// A transaction under way.
pub(super) struct Tx {
    kind: TxKind,
    queued: Vec<Query>,
}

enum TxKind {
    /// A part of the file's current group of transactions.
    Sqlite(group::Member),
    /// One of its own.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Speak for Tx {
    fn link(&mut self) -> Link<'_> {
        match &mut self.kind {
            TxKind::Sqlite(member) => Link::Sqlite(member.connection()),
            TxKind::Postgres(transaction) => Link::Postgres(&mut *transaction),
        }
    }

    fn queued(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.queued)
    }
}

impl Tx {
    /// Makes it last. It has, when this returns.
    pub(super) async fn commit(mut self) -> Result<()> {
        if let Err(error) = several(&mut self, Vec::new()).await {
            self.rollback().await;
            return Err(error);
        }
        match self.kind {
            TxKind::Sqlite(member) => member.commit().await,
            TxKind::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }

    /// Takes everything back. A transaction that is dropped is taken back as well, but only a little later.
    pub(super) async fn rollback(self) {
        match self.kind {
            TxKind::Sqlite(member) => member.rollback().await,
            TxKind::Postgres(transaction) => drop(transaction.rollback().await),
        }
    }

    /// Whether others write at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.kind, TxKind::Postgres(_))
    }

    /// The database's own time in milliseconds since 1970, as a term: whoever compares times of several processes compares these.
    pub(super) fn clock(&self) -> &'static str {
        match self.kind {
            TxKind::Sqlite(_) => CLOCK_SQLITE,
            TxKind::Postgres(_) => CLOCK_POSTGRES,
        }
    }

    /// A select whose row stays as it is until the transaction ends. SQLite has one writer at a time, so there it is a plain select.
    pub(super) fn lock(&self, sqlite: &'static str, postgres: &'static str) -> Query {
        match self.kind {
            TxKind::Sqlite(_) => query(sqlite),
            TxKind::Postgres(_) => query(postgres),
        }
    }
}

/// A connection that only reads.
pub(super) enum Read {
    /// To the file.
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    /// To the server.
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
}

impl Read {
    /// As [`Tx::clock`].
    pub(super) fn clock(&self) -> &'static str {
        match self {
            Read::Sqlite(_) => CLOCK_SQLITE,
            Read::Postgres(_) => CLOCK_POSTGRES,
        }
    }
}

impl Speak for Read {
    fn link(&mut self) -> Link<'_> {
        match self {
            Read::Sqlite(connection) => Link::Sqlite(&mut *connection),
            Read::Postgres(connection) => Link::Postgres(&mut *connection),
        }
    }
}
