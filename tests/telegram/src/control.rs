//! What a test sets while the server runs: faults, flood control, and how updates are delivered.

use crate::TelegramServer;
use crate::faults::{Down, Failure, Faults};
use crate::options::FloodLimits;
use crate::updates::Order;
use std::time::Duration;

impl TelegramServer {
    /// Every answer, of files too, waits this long after it was decided.
    pub fn delay_answers(&self, delay: Duration) {
        self.server.change(|state| state.faults.delay = delay);
    }

    /// The next so many calls of a method end like this; `*` is any method, `getUpdates` among them.
    pub fn fail_next(&self, method: &str, calls: u32, failure: Failure) {
        assert!(calls > 0, "a failure of no calls is none");
        self.server.change(|state| state.faults.plan(method, calls, failure));
    }

    /// How many planned failures have not met their call yet.
    pub fn failures_left(&self) -> u32 {
        self.server.look().faults.left()
    }

    /// Takes all planned failures and the delay back. A server that is down stays so.
    pub fn clear_faults(&self) {
        self.server.change(|state| state.faults = Faults::default());
    }

    /// Cuts every connection and takes no new one until `comes_back`.
    pub fn goes_down(&self, how: Down) {
        self.server.down.send_replace(Some(how));
        self.server.lines.cut_all();
    }

    /// Takes connections again, on the same port. What was shown and what waited is still there.
    pub fn comes_back(&self) {
        self.server.down.send_replace(None);
    }

    /// Is down for so long, and then back.
    pub async fn is_down_for(&self, how: Down, time: Duration) {
        self.goes_down(how);
        tokio::time::sleep(time).await;
        self.comes_back();
    }

    /// Cuts every connection once, as when a network changes.
    pub fn cuts_connections(&self) {
        self.server.lines.cut_all();
    }

    /// Flood control from now on, or none.
    pub fn set_flood(&self, limits: Option<FloodLimits>) {
        self.server.change(|state| state.flood.limits = limits);
    }

    /// How often a bot was told to wait by flood control.
    pub fn flood_refusals(&self) -> u64 {
        self.server.look().flood.refused_count
    }

    /// The next so many updates come twice, one right after the other, with the same id.
    pub fn duplicates_next_updates(&self, updates: u32) {
        self.server.change(|state| state.updates.duplicates_left = updates);
    }

    /// Delivers an update once more, with its id, also when the bot confirmed it long ago.
    pub fn delivers_again(&self, update_id: i64) {
        assert!(self.server.change(|state| state.updates.again(update_id)), "there was no update {update_id}");
    }

    /// Keeps updates back until they are released.
    pub fn holds_updates(&self) {
        self.server.change(|state| state.updates.hold());
    }

    /// Lets the updates go that were held, in this order.
    pub fn releases_updates(&self, order: Order) {
        self.server.change(|state| state.updates.release(order));
    }

    /// Where updates are brought and what is said with them, while there is a webhook.
    pub fn webhook(&self) -> Option<(String, Option<String>)> {
        self.server.look().webhook.as_ref().map(|webhook| (webhook.url.clone(), webhook.secret.clone()))
    }

    /// How many updates wait for the bot.
    pub fn pending_updates(&self) -> usize {
        self.server.look().updates.pending()
    }
}
