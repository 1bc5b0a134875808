//! `log`: words about the work. Bounded; what is over the bound is dropped, never an error.

use super::{Context, Progress};
use crate::plugins::api::v0_1_0::log;
use crate::plugins::api::words::line;
use wasmtime::Result;

/// A line of the operator's log.
const LOG_LINE_CHARS_MAX: usize = 2_000;
/// A line of progress that fits a status message.
const PROGRESS_CHARS_MAX: usize = 200;

impl Context {
    /// Takes so many bytes of the allowance, or says that it is used up. A replay says nothing twice.
    fn may_log(&mut self, text: &str) -> bool {
        if self.journal.is_replaying() {
            return false;
        }
        let allowed = text.len() <= self.log_bytes_left;
        self.log_bytes_left = if allowed { self.log_bytes_left - text.len() } else { 0 };
        allowed
    }
}

impl log::Host for Context {
    async fn write(&mut self, level: log::Level, text: String) -> Result<()> {
        if self.may_log(&text) {
            let (run, text) = (&self.owner.run, line(&text, LOG_LINE_CHARS_MAX));
            match level {
                log::Level::Debug => tracing::debug!(%run, "guest: {text}"),
                log::Level::Info => tracing::info!(%run, "guest: {text}"),
                log::Level::Warn => tracing::warn!(%run, "guest: {text}"),
            }
        }
        Ok(())
    }

    async fn progress(&mut self, text: String, percent: u8) -> Result<()> {
        let text = line(&text, PROGRESS_CHARS_MAX);
        if self.may_log(&text)
            && let Some(progress) = self.services.as_ref().and_then(|services| services.progress.as_ref())
        {
            // A front end that is too slow misses a line; a run never waits for it.
            let _ = progress.try_send(Progress { text, percent: percent.min(100) });
        }
        Ok(())
    }
}
