//! The sandbox, attacked on this machine, under this operator's configuration: [`guests`] each break one promise as an implementer, while an honest
//! one works beside them. Nothing is stored and no model is asked.

pub mod guests;

use self::guests::{Expected, Guest};
use super::PluginError;
use super::imports::Context;
use super::registry::{Loaded, Registry};
use super::run::{self, Export, Outcome};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The honest one is called so often.
const HONEST_INTERVAL: Duration = Duration::from_millis(5);
/// How long it is watched alone, before and after.
const HONEST_ALONE: Duration = Duration::from_secs(1);
/// Who takes longer is an attack on time, and leaves no more behind the second time than others do.
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// Linux counts resident memory in these.
const PAGE_BYTES: u64 = 4096;

/// What became of a guest.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its name.
    pub name: &'static str,
    /// What the sandbox promises.
    pub promise: &'static str,
    /// Whether that held, and the host went on.
    pub contained: bool,
    /// What became of it.
    pub end: String,
    /// How long it took.
    pub took: Duration,
}

/// What became of all.
#[derive(Clone, Debug)]
pub struct Report {
    /// In order.
    pub tried: Vec<Tried>,
    /// 95 of 100 calls of the honest one took less: before, beside the guests, and after.
    pub honest_p95: [Duration; 3],
    /// How many calls of the honest one failed.
    pub honest_failed: usize,
    /// Resident memory before, after a first round and after a second one, in bytes; none where the system does not tell. What a first round
    /// leaves is kept for later, such as the allocator's own; what a second one adds would be lost for good.
    pub resident_bytes: Option<[u64; 3]>,
}

/// Lets all of them loose, and those that do not take long once more. `told` hears of each, the first time.
pub async fn attack(registry: Arc<Registry>, mut told: impl FnMut(&Tried)) -> Result<Report, PluginError> {
    let own = registry.for_world("implementer")?;
    let honest = registry.of_bytes(&own.name, &guests::honest())?;
    let watched = Watched::start(honest.clone());
    tokio::time::sleep(HONEST_ALONE).await;
    let (before, at_first) = (watched.turn(), resident_bytes());
    let mut tried = Vec::new();
    for guest in guests::guests(&own.limits) {
        let one = attack_with(&registry, &own.name, &guest, &honest).await;
        told(&one);
        tried.push(one);
    }
    tokio::time::sleep(HONEST_ALONE).await;
    let in_between = resident_bytes();
    for (guest, first) in guests::guests(&own.limits).iter().zip(&mut tried).filter(|(_, first)| first.took < AGAIN_MAX) {
        first.contained &= attack_with(&registry, &own.name, guest, &honest).await.contained;
    }
    let beside = watched.turn();
    tokio::time::sleep(HONEST_ALONE).await;
    let (after, at_last) = (watched.turn(), resident_bytes());
    let honest_failed = watched.stop();
    let resident_bytes = at_first.zip(in_between).zip(at_last).map(|((first, between), last)| [first, between, last]);
    Ok(Report { tried, honest_p95: [before, beside, after].map(p95), honest_failed, resident_bytes })
}

async fn attack_with(registry: &Registry, name: &str, guest: &Guest, honest: &Loaded) -> Tried {
    let began = Instant::now();
    let (held, end) = match registry.of_bytes(name, &guest.bytes) {
        Err(error) => {
            let end = error.to_string();
            (matches!(guest.expected, Expected::Refused(words) if end.contains(words)), end)
        }
        Ok(plugin) => match (call(&plugin).await, guest.expected) {
            (Outcome::Killed(why), Expected::Ended(words)) => (why.contains(words), why),
            (Outcome::Returned(_), expected) => (expected == Expected::Returned, "it came to its end".to_owned()),
            (other, _) => (false, format!("{other:?}")),
        },
    };
    let took = began.elapsed();
    let goes_on = matches!(call(honest).await, Outcome::Returned(_));
    Tried { name: guest.name, promise: guest.promise, contained: held && goes_on, end, took }
}

async fn call(plugin: &Loaded) -> Outcome {
    let (_stop, stopped) = watch::channel(false);
    run::call(plugin, Export::Implement, Context::of_nobody(&plugin.name, "implement", plugin.limits), stopped).await.outcome
}

/// The honest one, called again and again.
struct Watched {
    times: Arc<Mutex<Vec<Duration>>>,
    over: Arc<AtomicBool>,
    failed: Arc<Mutex<usize>>,
}

impl Watched {
    fn start(honest: Arc<Loaded>) -> Watched {
        let watched = Watched { times: Arc::default(), over: Arc::default(), failed: Arc::default() };
        let (times, over, failed) = (watched.times.clone(), watched.over.clone(), watched.failed.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                let returned = matches!(call(&honest).await, Outcome::Returned(_));
                times.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
                *failed.lock().unwrap_or_else(PoisonError::into_inner) += usize::from(!returned);
                tokio::time::sleep(HONEST_INTERVAL).await;
            }
        });
        watched
    }

    /// The times since the last turn.
    fn turn(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn p95(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len().saturating_sub(1) * 95 / 100).copied().unwrap_or_default()
}

fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split(' ').nth(1)?.parse::<u64>().ok()?.checked_mul(PAGE_BYTES)
}
