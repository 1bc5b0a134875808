//! The store of many machines: a PostgreSQL database.

use super::super::{Result, StoreError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool, Postgres, Transaction};
use std::str::FromStr;
use std::time::Duration;

/// Connections of one process. A transaction is a few milliseconds long, so this many serve more calls than one process makes.
const CONNECTIONS_MAX: u32 = 16;
/// How long to wait for one of them, or for the server.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A machine that vanished without a word keeps its sessions' locks no longer than idle + interval × count, here 25 seconds.
const KEEPALIVE: [(&str, &str); 3] = [("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3")];

/// Connects, making and migrating the tables where needed.
pub(in crate::store) async fn open(url: &str) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Url("it is no PostgreSQL URL; write postgres://USER:PASSWORD@HOST/DATABASE".to_owned()))?
        .application_name("atelier")
        .options(KEEPALIVE)
        .disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options).await?;
    sqlx::migrate!("../migrations/postgres").run(&pool).await.map_err(super::super::migration_failed)?;
    Ok(pool)
}

/// Begins a transaction in a task of its own: a caller that leaves in the middle would otherwise hand a connection back to the pool
/// with its transaction open.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    match tokio::spawn(async move { pool.begin().await }).await {
        Ok(begun) => Ok(begun?),
        Err(_) => Err(StoreError::Undone("a writer left".to_owned())),
    }
}

/// A connection outside of the pool, kept for the locks that end with it.
#[derive(Debug)]
pub(in crate::store) struct Session(sqlx::PgConnection);

impl Session {
    pub(in crate::store) async fn open(pool: &PgPool) -> Result<Session> {
        Ok(Session(pool.acquire().await?.detach()))
    }
}

impl super::Speak for Session {
    fn link(&mut self) -> super::Link<'_> {
        super::Link::Postgres(&mut self.0)
    }
}
