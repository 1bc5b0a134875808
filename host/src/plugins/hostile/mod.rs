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
    /// Resident memory before and after, in bytes; none where the system does not tell.
    pub resident_bytes: Option<[u64; 2]>,
}

/// Lets all of them loose. `told` hears of each.
pub async fn attack(registry: Arc<Registry>, mut told: impl FnMut(&Tried)) -> Result<Report, PluginError> {
    let own = registry.for_world("implementer")?;
    let honest = registry.of_bytes(&own.name, &guests::honest())?;
    let watched = Watched::start(honest.clone());
    tokio::time::sleep(HONEST_ALONE).await;
    let before = (watched.turn(), resident_bytes());
    let mut tried = Vec::new();
    for guest in guests::guests(&own.limits) {
        let one = attack_with(&registry, &own.name, &guest, &honest).await;
        told(&one);
        tried.push(one);
    }
    let beside = watched.turn();
    tokio::time::sleep(HONEST_ALONE).await;
    let after = (watched.turn(), resident_bytes());
    let honest_failed = watched.stop();
    let resident_bytes = before.1.zip(after.1).map(|(before, after)| [before, after]);
    Ok(Report { tried, honest_p95: [before.0, beside, after.0].map(p95), honest_failed, resident_bytes })
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
