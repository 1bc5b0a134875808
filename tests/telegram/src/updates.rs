//! What waits for the bot: updates with ids that grow, until the bot confirms them. The queue can be held, put into another order and
//! delivered twice. It knows nothing of connections; `polling` and `webhook` take from it.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The id of the first update. Telegram begins somewhere too.
const FIRST_ID: i64 = 700_000_001;
/// How many updates can be delivered again later.
const HISTORY_MAX: usize = 10_000;
/// What a bot gets only when it asks for it by name.
const ONLY_WHEN_ASKED: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// In which order held updates are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they happened.
    Straight,
    /// The last one first.
    Reversed,
    /// Mixed, the same way for the same number.
    Shuffled(u64),
}

struct Queued {
    id: i64,
    body: Value,
    /// Comes once more, whatever was confirmed.
    again: bool,
}

/// The queue.
pub(crate) struct Updates {
    queue: VecDeque<Queued>,
    history: BTreeMap<i64, Value>,
    next_id: i64,
    held: bool,
    /// How many of the next updates come twice.
    pub(crate) duplicates_left: u32,
    /// What the bot wants; everything usual when it has not said.
    allowed: Option<BTreeSet<String>>,
    /// Which request for updates is the last one.
    pub(crate) poller: u64,
}

impl Default for Updates {
    fn default() -> Updates {
        Updates {
            queue: VecDeque::new(),
            history: BTreeMap::new(),
            next_id: FIRST_ID,
            held: false,
            duplicates_left: 0,
            allowed: None,
            poller: 0,
        }
    }
}

impl Updates {
    /// Puts an update at the end, unless the bot did not want its kind. It has an id in either case.
    pub(crate) fn push(&mut self, kind: &str, content: Value) -> i64 {
        let id = self.next_id;
        let wanted = match &self.allowed {
            Some(allowed) => allowed.contains(kind),
            None => !ONLY_WHEN_ASKED.contains(&kind),
        };
        self.push_raw(json!({ "update_id": id, kind: content }), wanted)
    }

    /// Puts this at the end as it is; it gets an id if it has none.
    pub(crate) fn push_raw(&mut self, mut body: Value, wanted: bool) -> i64 {
        let id = body["update_id"].as_i64().unwrap_or(self.next_id);
        body["update_id"] = json!(id);
        self.next_id = self.next_id.max(id + 1);
        self.history.insert(id, body.clone());
        while self.history.len() > HISTORY_MAX {
            self.history.pop_first();
        }
        if wanted {
            let copies = if self.duplicates_left > 0 { 2 } else { 1 };
            self.duplicates_left = self.duplicates_left.saturating_sub(1);
            self.queue.extend((0..copies).map(|_| Queued { id, body: body.clone(), again: false }));
        }
        id
    }

    /// What the bot wants from now on. None leaves it as it is; an empty list is everything usual.
    pub(crate) fn allow(&mut self, kinds: Option<Vec<String>>) {
        match kinds {
            None => {}
            Some(kinds) if kinds.is_empty() => self.allowed = None,
            Some(kinds) => self.allowed = Some(kinds.into_iter().collect()),
        }
    }

    /// What the bot said that it wants.
    pub(crate) fn allowed(&self) -> Option<Vec<&String>> {
        self.allowed.as_ref().map(|allowed| allowed.iter().collect())
    }

    /// Forgets what is below the offset; a negative one keeps only so many of the last.
    pub(crate) fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let surplus = self.queue.len().saturating_sub(offset.unsigned_abs() as usize);
            self.queue.drain(..surplus);
        } else {
            self.queue.retain(|queued| queued.again || queued.id >= offset);
        }
    }

    /// The first ones, which stay until they are confirmed.
    pub(crate) fn first(&mut self, limit: usize) -> Vec<Value> {
        if self.held {
            return Vec::new();
        }
        let batch: Vec<Value> = self.queue.iter().take(limit).map(|queued| queued.body.clone()).collect();
        let mut place = 0;
        self.queue.retain(|queued| {
            place += 1;
            !queued.again || place > limit
        });
        batch
    }

    /// The very first one, for a webhook.
    pub(crate) fn head(&self) -> Option<&Value> {
        self.queue.front().filter(|_| !self.held).map(|queued| &queued.body)
    }

    /// The very first one was taken by a webhook.
    pub(crate) fn drop_head(&mut self, id: &Value) {
        if self.queue.front().is_some_and(|queued| queued.id == id.as_i64().unwrap_or_default()) {
            self.queue.pop_front();
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    pub(crate) fn release(&mut self, order: Order) {
        self.held = false;
        match order {
            Order::Straight => {}
            Order::Reversed => self.queue.make_contiguous().reverse(),
            Order::Shuffled(seed) => {
                let mut state = seed;
                for last in (1..self.queue.len()).rev() {
                    // Knuth's linear congruence: poor as chance, and the same in every run.
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    self.queue.swap(last, (state >> 33) as usize % (last + 1));
                }
            }
        }
    }

    /// Delivers an update once more, also when it was confirmed long ago. False if it never was.
    pub(crate) fn again(&mut self, id: i64) -> bool {
        let Some(body) = self.history.get(&id).cloned() else { return false };
        self.queue.push_back(Queued { id, body, again: true });
        true
    }
}
