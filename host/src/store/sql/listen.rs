//! Hears from other processes that there is something to do.

use super::super::Result;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long to wait after the server went away. Meanwhile workers look by themselves.
const AGAIN: Duration = Duration::from_secs(1);

/// Hearing, as long as this is kept.
#[derive(Debug)]
pub struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Calls `heard` for everything that is said on the channel, and after every gap in which something may have been said.
pub(in crate::store) async fn listen(pool: &PgPool, channel: &'static str, heard: impl Fn() + Send + 'static) -> Result<Listening> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    Ok(Listening(tokio::spawn(async move {
        loop {
            // It connects again by itself, and then gives nothing once.
            if let Err(error) = listener.try_recv().await {
                tracing::warn!("other workers can't be heard, so this one looks by itself: {error}");
                tokio::time::sleep(AGAIN).await;
            }
            heard();
        }
    })))
}
