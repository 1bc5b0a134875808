//! One call of one export, in a fresh instance that is thrown away afterwards. No lock is held while wasm runs.

use super::imports::Context;
use super::journal::Diverged;
use super::limits::{EPOCH_TICK, Limits};
use super::registry::{Loaded, World};
use crate::index::FileIndex;
use crate::project::{Brief, Failure, Pause, Plan, Question, Refusal, Verdict, Work};
use crate::store::runs::JournalRow;
use crate::workspace::overlay::Overlay;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wasmtime::{Store, Trap};

/// How often the watchdog looks at the clocks.
const WATCHDOG_INTERVAL: Duration = Duration::from_millis(50);

/// Which export to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// `architect.elicit`
    Elicit,
    /// `architect.make-plan`
    MakePlan,
    /// `architect.verify`
    Verify,
    /// `implementer.implement`
    Implement,
    /// `documenter.document`
    Document,
}

/// What an export returned.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Value {
    /// Of `elicit`.
    Brief(Brief),
    /// Of `make-plan`.
    Plan(Plan),
    /// Of `verify`.
    Verdict(Verdict),
    /// Of `implement`.
    #[serde(rename = "Summary")]
    Work(Work),
    /// Of `document`: one line.
    Documents(String),
}

/// How a run ended, with what it used.
#[derive(Debug)]
pub struct Ended {
    /// The outcome.
    pub outcome: Outcome,
    /// Instructions, roughly.
    pub fuel: u64,
    /// All memories together, at their largest.
    pub memory_peak_bytes: u64,
    /// How many host calls.
    pub host_calls: u32,
    /// Host calls that are not stored yet.
    pub pending: Vec<JournalRow>,
    /// The files as the run left them.
    pub overlay: Overlay,
    /// What a closed replay asked, call by call.
    pub requests: Vec<String>,
}

/// The outcome of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The export returned.
    Returned(Result<Value, Failure>),
    /// It waits for the user.
    Asked {
        /// The host call that asks.
        seq: u32,
        /// Of that call.
        fingerprint: String,
        /// The question.
        question: Question,
    },
    /// It waits for credits, a provider or an operator.
    Suspended(Pause),
    /// It broke a limit or trapped; the text says which, for people.
    Killed(String),
    /// Its replay left the recorded path.
    Diverged(Diverged),
    /// Somebody stopped it.
    Cancelled,
    /// The host itself failed, such as by a full disk.
    HostFailed(String),
}

/// Why an import ends the run. Travels through wasmtime as an error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Ending {
    /// Waits for the user.
    #[error("the run waits for an answer")]
    Asked {
        /// The host call that asks.
        seq: u32,
        /// Of that call.
        fingerprint: String,
        /// The question.
        question: Question,
    },
    /// Waits for something else.
    #[error("the run is suspended")]
    Suspended(Pause),
    /// Left the recorded path.
    #[error(transparent)]
    Diverged(#[from] Diverged),
    /// Asks the model the same again and again.
    #[error("it asked the model the very same again and again; it is stuck")]
    Stuck,
    /// Kept calling after it was told to stop.
    #[error("it made far more host calls than it may")]
    CallStorm,
    /// Was answered more than may be kept.
    #[error("the host's answers to it are larger together than may be kept")]
    JournalFull,
    /// The store failed.
    #[error("{0}")]
    HostFailed(String),
}

/// Time that a run spends waiting for the host.
#[derive(Debug, Default)]
pub struct HostClock {
    waited_us: AtomicU64,
    entered_us: AtomicU64,
}

impl HostClock {
    /// From now until the guard is dropped, the host has the run.
    pub fn enter(self: &Arc<Self>, started: Instant) -> InHost {
        let now = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        self.entered_us.store(now, Ordering::Relaxed);
        InHost { clock: self.clone(), started, entered_us: now }
    }

    fn waited(&self, started: Instant) -> Duration {
        let entered = self.entered_us.load(Ordering::Relaxed);
        let now = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let current = if entered > 0 { now.saturating_sub(entered) } else { 0 };
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed) + current)
    }
}

/// The host has the run.
pub struct InHost {
    clock: Arc<HostClock>,
    started: Instant,
    entered_us: u64,
}

impl Drop for InHost {
    fn drop(&mut self) {
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.clock.waited_us.fetch_add(now.saturating_sub(self.entered_us), Ordering::Relaxed);
        self.clock.entered_us.store(0, Ordering::Relaxed);
    }
}

/// Calls an agent's export to its end.
pub async fn call(plugin: &Loaded, export: Export, context: Context, cancelled: watch::Receiver<bool>) -> Ended {
    let limits = plugin.limits;
    let clock = context.clock.clone();
    let started = context.started;
    let mut store = match prepare(plugin, context) {
        Ok(store) => store,
        Err((error, context)) => return ended(Outcome::HostFailed(format!("{error:#}")), 0, *context),
    };
    let result = tokio::select! {
        result = invoke(plugin, export, &mut store) => result.map_err(|error| stopped(&error, store.data())),
        why = watchdog(&clock, started, &limits) => Err(Outcome::Killed(why)),
        () = wait_for(cancelled) => Err(Outcome::Cancelled),
    };
    let fuel = limits.fuel().saturating_sub(store.get_fuel().unwrap_or(0));
    let outcome = result.map_or_else(|outcome| outcome, Outcome::Returned);
    ended(outcome, fuel, store.into_data())
}

/// Cuts one file into chunks. Not journaled: the same file gives the same chunks. A run that breaks a limit costs this file its
/// place in the index and nothing else.
pub async fn index_file(plugin: &Loaded, context: Context, path: &str, text: &str) -> Result<FileIndex, String> {
    let World::Indexer(pre) = &plugin.world else { return Err("the plugin is no indexer".to_owned()) };
    let limits = plugin.limits;
    let (clock, started) = (context.clock.clone(), context.started);
    let mut store = prepare(plugin, context).map_err(|(error, _)| format!("{error:#}"))?;
    let outcome = {
        let work = async {
            let instance = pre.instantiate_async(&mut store).await?;
            instance.call_index_file(&mut store, path, text).await
        };
        tokio::select! {
            result = work => Ok(result),
            why = watchdog(&clock, started, &limits) => Err(why),
        }
    };
    outcome?.map(FileIndex::from).map_err(|error| reason(&error, Some(store.data())))
}

/// A store in which every limit of the plugin is on. The context comes back where that can't be done.
pub fn prepare(plugin: &Loaded, context: Context) -> Result<Store<Context>, (wasmtime::Error, Box<Context>)> {
    let mut store = Store::new(&plugin.engine, context);
    store.limiter(|context| &mut context.meter);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(plugin.limits.argument_bytes);
    match store.set_fuel(plugin.limits.fuel()) {
        Ok(()) => Ok(store),
        Err(error) => Err((error, Box::new(store.into_data()))),
    }
}

async fn invoke(plugin: &Loaded, export: Export, store: &mut Store<Context>) -> wasmtime::Result<Result<Value, Failure>> {
    match (&plugin.world, export) {
        (World::Architect(pre), Export::Elicit) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            Ok(instance.call_elicit(store).await?.map(|brief| Value::Brief(brief.into())).map_err(Into::into))
        }
        (World::Architect(pre), Export::MakePlan) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            Ok(instance.call_make_plan(store).await?.map(|plan| Value::Plan(plan.into())).map_err(Into::into))
        }
        (World::Architect(pre), Export::Verify) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            Ok(instance.call_verify(store).await?.map(|verdict| Value::Verdict(verdict.into())).map_err(Into::into))
        }
        (World::Implementer(implementer), Export::Implement) => Ok(implementer.implement(store).await?.map(Value::Work)),
        (World::Documenter(pre), Export::Document) => {
            let instance = pre.instantiate_async(&mut *store).await?;
            Ok(instance.call_document(store).await?.map(Value::Documents).map_err(Into::into))
        }
        _ => Err(wasmtime::Error::msg("the plugin has no such export")),
    }
}

/// Ends when the guest has used its own time, or the run its whole time.
async fn watchdog(clock: &HostClock, started: Instant, limits: &Limits) -> String {
    loop {
        tokio::time::sleep(WATCHDOG_INTERVAL.max(EPOCH_TICK)).await;
        let elapsed = started.elapsed();
        if elapsed.saturating_sub(clock.waited(started)) > Duration::from_secs(limits.guest_seconds) {
            return format!("it ran for more than {} s (limit guest_seconds)", limits.guest_seconds);
        }
        if elapsed > Duration::from_secs(limits.run_seconds) {
            return format!("the run took more than {} s (limit run_seconds)", limits.run_seconds);
        }
    }
}

async fn wait_for(mut cancelled: watch::Receiver<bool>) {
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What an error of wasmtime means.
fn stopped(error: &wasmtime::Error, context: &Context) -> Outcome {
    match error.downcast_ref::<Ending>() {
        Some(Ending::Asked { seq, fingerprint, question }) => {
            Outcome::Asked { seq: *seq, fingerprint: fingerprint.clone(), question: question.clone() }
        }
        Some(Ending::Suspended(pause)) => Outcome::Suspended(pause.clone()),
        Some(Ending::Diverged(diverged)) => Outcome::Diverged(diverged.clone()),
        Some(Ending::Stuck) => Outcome::Killed(Ending::Stuck.to_string()),
        Some(Ending::CallStorm) => Outcome::Killed(format!("{} (limit host_calls)", Ending::CallStorm)),
        Some(Ending::JournalFull) => Outcome::Killed(format!("{} (limit journal_mib)", Ending::JournalFull)),
        Some(Ending::HostFailed(why)) => Outcome::HostFailed(why.clone()),
        None => Outcome::Killed(reason(error, Some(context))),
    }
}

fn reason(error: &wasmtime::Error, context: Option<&Context>) -> String {
    let refused = context.and_then(|context| context.meter.refused);
    match (error.downcast_ref::<Trap>(), refused) {
        (Some(Trap::OutOfFuel), _) => "it used up its CPU time (limit fuel_millions)".to_owned(),
        (Some(Trap::StackOverflow), _) => "its stack overflowed".to_owned(),
        (_, Some(refused)) => refused.to_string(),
        (Some(trap), None) => format!("it trapped: {trap}"),
        // Around the cause stands where in the guest it was, which says nothing to people.
        (None, None) => error.root_cause().to_string().lines().next().unwrap_or_default().chars().take(300).collect(),
    }
}

fn ended(outcome: Outcome, fuel: u64, mut context: Context) -> Ended {
    Ended {
        outcome,
        fuel,
        memory_peak_bytes: context.meter.memory_peak_bytes as u64,
        host_calls: context.journal.calls(),
        pending: context.journal.take_pending(),
        requests: context.journal.take_requests(),
        overlay: context.overlay,
    }
}

/// A refusal that another try right away would meet again, because a service is away.
pub fn is_outage(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(Refusal::Unavailable(_) | Refusal::TimedOut | Refusal::RateLimited(_)))
}
