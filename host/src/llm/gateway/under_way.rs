//! Which runs have model calls under way, so that a run that has ended can wait for its own and for nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Calls under way, by run.
#[derive(Default)]
pub(super) struct UnderWay {
    calls: Mutex<HashMap<String, u32>>,
    ended: Notify,
}

/// One of them, as long as it lives.
pub(super) struct Entered {
    under_way: Arc<UnderWay>,
    run: String,
}

impl UnderWay {
    /// One more call of this run.
    pub(super) fn enter(self: &Arc<UnderWay>, run: &str) -> Entered {
        *self.calls().entry(run.to_owned()).or_default() += 1;
        Entered { under_way: self.clone(), run: run.to_owned() }
    }

    /// Waits until the run has none, for a bounded time.
    pub(super) async fn none_of(&self, run: &str, limit: Duration) {
        let none = async {
            loop {
                let ended = self.ended.notified();
                if !self.calls().contains_key(run) {
                    return;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(limit, none).await;
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut calls = self.under_way.calls();
        if let Some(count) = calls.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                calls.remove(&self.run);
            }
        }
        drop(calls);
        self.under_way.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_waits_for_its_own_calls_alone() {
        let under_way = Arc::new(UnderWay::default());
        let (one, other) = (under_way.enter("one"), under_way.enter("other"));
        let waiting = tokio::spawn({
            let under_way = under_way.clone();
            async move { under_way.none_of("one", Duration::from_secs(60)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(one);
        waiting.await.expect("it went on");
        under_way.none_of("other", Duration::from_millis(1)).await;
        drop(other);
    }
}
