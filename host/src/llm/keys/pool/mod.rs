//! Which key the next call of one provider goes out with. A pool knows each key's limits, who has to rest and who was refused, and
//! whether the provider itself is down.
//!
//! It refuses to use a key of another wallet, one that is draining or revoked, and one that the provider refused, until its row
//! changes or an operator checks it. It opens no seal, reads no clock (every method is told the time), holds no lock across a
//! wait, and keeps no line: callers who were told to wait ask again, and one that wants a fair line makes it.
//!
//! Read [`Pool::pick`] and [`Pool::report`], then `window.rs` and `breaker.rs`.

mod breaker;
mod condition;
#[cfg(test)]
mod stories;
mod window;

use super::{KeyId, KeyState, StoredKey};
use breaker::{Breaker, Probe, Sign};
pub use condition::{Condition, Why};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use window::{Limits, Window};

/// A wait that a call sits out. Beyond a minute, the time that every limit is given for, its run is better suspended.
pub const WAIT_MAX: Duration = window::MINUTE;
/// The first rest of a key that was limited without being told for how long; doubled each time.
const COOLDOWN_FIRST: Duration = Duration::from_secs(2);
/// Where the doubling ends: limits are counted by the minute, and after two of them a key is as fresh as it gets.
const COOLDOWN_MAX: Duration = Duration::from_secs(120);
/// The shortest rest, however little a provider asks for, so that a `retry-after: 0` is no loop.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(500);
/// The longest rest that a provider can ask for; more than an hour is an error or a date, and a try an hour costs nothing.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The rest of a key whose quota is used up. It comes back with a payment or a new day; a try an hour finds either.
const QUOTA_COOLDOWN: Duration = Duration::from_secs(3600);

/// The keys of one provider and how they are doing.
#[derive(Debug)]
pub struct Pool {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    provider: String,
    keys: BTreeMap<KeyId, Entry>,
    breaker: Breaker,
    /// Counts picks, to know whose turn it is.
    picks: u64,
}

#[derive(Debug)]
struct Entry {
    key: Arc<StoredKey>,
    window: Window,
    trouble: Trouble,
    /// The number of its last pick; 0 before the first.
    last_pick: u64,
}

/// What is held against one version of a key.
#[derive(Debug, Default)]
struct Trouble {
    quarantined: bool,
    cooling_until: Option<Instant>,
    /// Rate limits in a row.
    strikes: u32,
}

/// What came of asking for a key.
#[derive(Debug)]
pub enum Pick {
    /// Make the call with this one.
    Ready(Lease),
    /// Ask again after this time, at most [`WAIT_MAX`].
    Wait(Duration),
    /// Don't wait for it.
    Unavailable(Why),
}

/// The right to make one call with one key. Its end, reported or not, frees whatever it held up.
#[derive(Debug)]
pub struct Lease {
    state: Arc<Mutex<State>>,
    key: Arc<StoredKey>,
    tokens: u64,
    picked_at: Instant,
    probe: Option<Probe>,
    reported: AtomicBool,
}

/// How a call went, as far as its key and provider are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came.
    Answered {
        /// Input and output that it took, for the key's minute.
        tokens: u64,
    },
    /// 429: too many requests or tokens.
    RateLimited {
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 401: the provider does not know this key. Also for a seal that does not open.
    KeyRefused,
    /// The account behind the key has no money or no quota left.
    QuotaExhausted,
    /// 503 and the like: the provider has too much to do.
    Overloaded,
    /// There was no connection.
    Unreachable,
    /// 500 and the like, or nonsense.
    Faulty,
}

impl Pool {
    /// A pool without keys.
    pub fn new(provider: &str) -> Pool {
        let state = State { provider: provider.to_owned(), keys: BTreeMap::new(), breaker: Breaker::default(), picks: 0 };
        Pool { state: Arc::new(Mutex::new(state)) }
    }

    /// From now on these are the keys. What went out with a known one still counts; what is held against it does too, unless its
    /// version changed. Keys of another provider are left out.
    pub fn replace(&self, keys: Vec<StoredKey>) {
        let mut state = lock(&self.state);
        let mut known = std::mem::take(&mut state.keys);
        for key in keys.into_iter().filter(|key| key.provider == state.provider).collect::<Vec<_>>() {
            let (window, trouble, last_pick) = match known.remove(&key.id) {
                Some(entry) if entry.key.version == key.version => (entry.window, entry.trouble, entry.last_pick),
                Some(entry) => (entry.window, Trouble::default(), entry.last_pick),
                None => Default::default(),
            };
            state.keys.insert(key.id.clone(), Entry { key: Arc::new(key), window, trouble, last_pick });
        }
    }

    /// A key for a call of so many tokens, input and the most of output. A wallet that has an active key of its own uses that one
    /// and never a shared one: who pays the provider must not change without being asked. Among several, the one with the most
    /// room is chosen, and of equal ones the one that has rested longest.
    pub fn pick(&self, now: Instant, owner: Option<&str>, tokens: u64) -> Pick {
        let mut state = lock(&self.state);
        let owner = owner.filter(|owner| state.owns(owner));
        let own = owner.is_some();
        let mut usable = state.keys.values().filter(|entry| entry.is_usable() && entry.key.owner.as_deref() == owner).peekable();
        let provider = || state.provider.clone();
        if usable.peek().is_none() {
            return Pick::Unavailable(Why::NoKeys { provider: provider() });
        }
        let chosen = usable
            .filter(|entry| !entry.trouble.quarantined)
            .map(|entry| (entry.wait(now, tokens), entry.window.fullness(now, entry.limits()), entry.last_pick, &entry.key.id))
            .min();
        let Some((wait, _, _, id)) = chosen else {
            return Pick::Unavailable(Why::AllRefused { provider: provider(), own });
        };
        let closed_for = state.breaker.wait(now);
        if !closed_for.is_zero() {
            return Pick::Unavailable(Why::ProviderDown { provider: provider(), wait: closed_for });
        }
        if wait > WAIT_MAX {
            return Pick::Unavailable(Why::AllCoolingDown { provider: provider(), own, wait });
        }
        if !wait.is_zero() {
            return Pick::Wait(wait);
        }
        let id = id.clone();
        match state.begin(now, &id, tokens) {
            Some((key, probe)) => {
                Pick::Ready(Lease { state: self.state.clone(), key, tokens, picked_at: now, probe, reported: AtomicBool::new(false) })
            }
            None => Pick::Unavailable(Why::NoKeys { provider: state.provider.clone() }),
        }
    }

    /// Whether this wallet has a key of its own here.
    pub fn owns(&self, owner: &str) -> bool {
        lock(&self.state).owns(owner)
    }

    /// Tells how a call went. Only the first report of a lease counts.
    pub fn report(&self, now: Instant, lease: &Lease, outcome: Outcome) {
        if !Arc::ptr_eq(&self.state, &lease.state) || lease.reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut state = lock(&self.state);
        let sign = match outcome {
            Outcome::Answered { .. } => Sign::Good,
            Outcome::Overloaded | Outcome::Unreachable | Outcome::Faulty => Sign::Bad,
            Outcome::RateLimited { .. } | Outcome::KeyRefused | Outcome::QuotaExhausted => Sign::Neither,
        };
        state.breaker.note(now, lease.probe, sign);
        let Some(entry) = state.keys.get_mut(&lease.key.id) else { return };
        if let Outcome::Answered { tokens } = outcome {
            entry.window.correct(lease.picked_at, lease.tokens, tokens);
        }
        // A word about the secret that was there before says nothing about the one that is there now.
        if entry.key.version == lease.key.version {
            entry.trouble.note(now, outcome);
        }
    }

    /// How each key is doing, by id.
    pub fn conditions(&self, now: Instant) -> Vec<(KeyId, Condition)> {
        lock(&self.state).keys.iter().map(|(id, entry)| (id.clone(), entry.condition(now))).collect()
    }
}

impl Lease {
    /// The key to open and send.
    pub fn key(&self) -> &StoredKey {
        &self.key
    }

    /// Whether the wallet that asked owns the key, and so pays the provider itself.
    pub fn is_own(&self) -> bool {
        self.key.owner.is_some()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(probe) = self.probe {
            lock(&self.state).breaker.release(probe);
        }
    }
}

impl State {
    fn owns(&self, owner: &str) -> bool {
        self.keys.values().any(|entry| entry.is_usable() && entry.key.owner.as_deref() == Some(owner))
    }

    /// Books a call on a key.
    fn begin(&mut self, now: Instant, id: &KeyId, tokens: u64) -> Option<(Arc<StoredKey>, Option<Probe>)> {
        let entry = self.keys.get_mut(id)?;
        self.picks += 1;
        entry.last_pick = self.picks;
        entry.window.count(now, tokens);
        Some((entry.key.clone(), self.breaker.begin()))
    }
}

impl Entry {
    fn limits(&self) -> Limits {
        Limits { requests: self.key.requests_per_minute, tokens: self.key.tokens_per_minute }
    }

    /// Whether its row lets it be used at all.
    fn is_usable(&self) -> bool {
        self.key.state == KeyState::Active && ![self.key.requests_per_minute, self.key.tokens_per_minute].contains(&Some(0))
    }

    fn wait(&self, now: Instant, tokens: u64) -> Duration {
        self.trouble.rest(now).max(self.window.wait(now, self.limits(), tokens))
    }

    fn condition(&self, now: Instant) -> Condition {
        match (self.key.state, self.trouble.rest(now)) {
            (KeyState::Revoked, _) => Condition::Revoked,
            (KeyState::Draining, _) => Condition::Draining,
            (KeyState::Active, _) if !self.is_usable() => Condition::Closed,
            (KeyState::Active, _) if self.trouble.quarantined => Condition::Quarantined,
            (KeyState::Active, Duration::ZERO) => Condition::Ok,
            (KeyState::Active, wait) => Condition::CoolingDown { wait },
        }
    }
}

impl Trouble {
    fn rest(&self, now: Instant) -> Duration {
        self.cooling_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    fn note(&mut self, now: Instant, outcome: Outcome) {
        let resting = !self.rest(now).is_zero();
        match outcome {
            Outcome::Answered { .. } if !resting => self.strikes = 0,
            Outcome::RateLimited { retry_after } => {
                let doubled = COOLDOWN_FIRST.saturating_mul(1 << self.strikes.min(16)).min(COOLDOWN_MAX);
                self.rest_until(now + retry_after.map_or(doubled, |asked| asked.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)));
                // Calls that were under way together are refused together; that is one strike.
                self.strikes += u32::from(!resting);
            }
            Outcome::QuotaExhausted => self.rest_until(now + QUOTA_COOLDOWN),
            Outcome::KeyRefused => self.quarantined = true,
            Outcome::Answered { .. } | Outcome::Overloaded | Outcome::Unreachable | Outcome::Faulty => {}
        }
    }

    fn rest_until(&mut self, until: Instant) {
        self.cooling_until = self.cooling_until.max(Some(until));
    }
}

/// The state is counters and flags, sound after every statement, so a thread that panicked while it held the lock spoils nothing.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
