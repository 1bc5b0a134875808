//! Takes steps and carries them out, as many at one time as there are slots. Any number of workers do so beside each other; what one
//! leaves undone, whatever became of it, another one takes up.

use super::Orchestrator;
use crate::project::Next;
use crate::store::projects::Project;
use crate::store::steps::{Held, Lease, Standing};
use crate::store::{Store, now_ms};
use anyhow::{Result, anyhow};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a worker looks for steps although nobody told it of any.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a worker looks what is wished of the projects that it has.
const WISH_INTERVAL: Duration = Duration::from_millis(250);
/// How often a worker lets go what nobody needs any more.
const TIDY_INTERVAL: Duration = Duration::from_secs(3_600);
/// Journals that are let go in one transaction.
const JOURNALS_AT_ONCE: u32 = 100;
/// Signs of life within a lease, so that one may fail.
const RENEWALS_OF_LEASE: u32 = 4;
/// How long a worker that ends waits for model calls under way: longer than most of them take.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// What a step under way is told.
#[derive(Clone)]
pub(super) struct Told {
    /// Stop at once: the project is to end, or the step is somebody else's.
    pub stop: watch::Receiver<bool>,
    /// Begin no model call any more.
    pub pausing: Arc<AtomicBool>,
}

/// A step that this worker has.
struct Mine {
    lease: Lease,
    stop: watch::Sender<bool>,
    pausing: Arc<AtomicBool>,
}

/// One worker.
struct Worker {
    orchestrator: Arc<Orchestrator>,
    /// The one project that it works on; none is all.
    only: Option<String>,
    slots: usize,
    steps: JoinSet<Result<()>>,
    mine: HashMap<Id, Mine>,
    /// Steps that could not be given back yet, and whether they met a fault.
    undone: Vec<(Lease, bool)>,
    /// When the leases were renewed last, by the clock on the wall: it goes on while the machine sleeps.
    renewed: SystemTime,
    /// The first fault of the host that a step met.
    fault: Option<anyhow::Error>,
}

impl Orchestrator {
    /// Works on one project until a person has to act: answer, approve, resume, or look at the result. What has begun comes to its end
    /// before this returns, even where another step met a fault of the host; that is returned then.
    pub async fn advance(self: &Arc<Self>, project: Project) -> Result<Project> {
        let id = project.id;
        self.store.write_steps(&id).await?;
        let mut worker = Worker::new(self, Some(id.clone()), self.settings.parallel_tasks);
        let mut work = self.store.work();
        let mut ticks = Ticks::new(self.settings.lease_s);
        loop {
            work.mark_unchanged();
            if worker.fault.is_none()
                && let Err(error) = worker.take().await
            {
                worker.fault = Some(error);
            }
            if worker.steps.is_empty() {
                if let Some(fault) = worker.fault {
                    return Err(fault);
                }
                // Somebody may have wished something while the last step ended.
                let project = self.control.fulfil(&id).await?;
                if !matches!(project.state.next(), Next::Run(_) | Next::Deliver) {
                    return Ok(project);
                }
            }
            worker.wait(&mut work, &mut ticks).await;
        }
    }

    /// Says that this process takes steps of any project, or will in a moment.
    pub async fn show(&self, slots: usize) -> Result<()> {
        Ok(self.store.show_worker(self.gateway.boot(), slots).await?)
    }

    /// Works on all projects until `stop` comes. Model calls under way then come to their end, within a limit; whatever else was begun is
    /// handed over to other workers, or to whoever starts next.
    pub async fn serve(self: &Arc<Self>, slots: usize, stop: impl Future<Output = ()>) -> Result<()> {
        self.store.write_missing_steps().await?;
        self.show(slots).await?;
        let boot = self.gateway.boot().to_owned();
        let mut worker = Worker::new(self, None, slots);
        let mut work = self.store.work();
        let mut ticks = Ticks::new(self.settings.lease_s);
        let mut stop = std::pin::pin!(stop);
        let tidying = tokio::spawn(tidy(self.store.clone(), self.settings.journal_days));
        let mut deadline = None;
        while deadline.is_none() || !worker.steps.is_empty() {
            work.mark_unchanged();
            if deadline.is_none()
                && let Err(error) = worker.take().await
            {
                tracing::warn!("no steps can be taken: {error:#}");
            }
            tokio::select! {
                () = worker.wait(&mut work, &mut ticks) => {}
                () = &mut stop, if deadline.is_none() => {
                    self.close();
                    deadline = Some(Instant::now() + DRAIN_LIMIT);
                    tracing::info!("{} steps come to a stop", worker.steps.len());
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                break;
            }
        }
        tidying.abort();
        worker.steps.shutdown().await;
        Ok(self.store.end_worker(&boot).await?)
    }
}

/// Lets journals go whose time is over, again and again; batch by batch, so that nobody waits for it.
async fn tidy(store: Store, days: u64) {
    if days == 0 {
        return;
    }
    let age_ms = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(24 * 3_600 * 1_000);
    loop {
        if let Err(error) = store.forget_chats(now_ms().saturating_sub(age_ms)).await {
            tracing::warn!("old chats can't be let go: {error}");
        }
        match store.forget_journals(now_ms().saturating_sub(age_ms), JOURNALS_AT_ONCE).await {
            Ok(JOURNALS_AT_ONCE) => continue,
            Ok(0) => {}
            Ok(_) => tracing::info!("journals of projects that ended {days} days ago were let go"),
            Err(error) => tracing::warn!("journals can't be let go: {error}"),
        }
        tokio::time::sleep(TIDY_INTERVAL).await;
    }
}

/// What a worker does from time to time.
struct Ticks {
    look: tokio::time::Interval,
    wish: tokio::time::Interval,
    renew: tokio::time::Interval,
}

impl Ticks {
    fn new(lease_s: u64) -> Ticks {
        let every = |period| {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first comes at once, and there is nothing to do yet.
            interval.reset();
            interval
        };
        Ticks { look: every(LOOK_INTERVAL), wish: every(WISH_INTERVAL), renew: every(Duration::from_secs(lease_s) / RENEWALS_OF_LEASE) }
    }
}

impl Worker {
    fn new(orchestrator: &Arc<Orchestrator>, only: Option<String>, slots: usize) -> Worker {
        let orchestrator = orchestrator.clone();
        let (steps, mine, undone, renewed) = (JoinSet::new(), HashMap::new(), Vec::new(), SystemTime::now());
        Worker { orchestrator, only, slots, steps, mine, undone, renewed, fault: None }
    }

    /// Takes as many steps as there are free slots.
    async fn take(&mut self) -> Result<()> {
        let free = self.slots.saturating_sub(self.steps.len());
        if free == 0 {
            return Ok(());
        }
        // After a sleep of the machine the leases look over, and this worker must not take its own steps away from itself.
        let lease = Duration::from_secs(self.orchestrator.settings.lease_s);
        if !self.mine.is_empty() && self.renewed.elapsed().unwrap_or(lease) > lease / 2 {
            self.renew().await?;
        }
        let orchestrator = &self.orchestrator;
        for lease in orchestrator.store.claim(orchestrator.gateway.boot(), self.only.as_deref(), free).await? {
            let (stop, stopped) = watch::channel(false);
            let pausing: Arc<AtomicBool> = Arc::default();
            let told = Told { stop: stopped, pausing: pausing.clone() };
            let (orchestrator, taken) = (orchestrator.clone(), lease.clone());
            let task = self.steps.spawn(async move { orchestrator.step(&taken, told).await });
            self.mine.insert(task.id(), Mine { lease, stop, pausing });
        }
        Ok(())
    }

    /// Waits until something may have changed.
    async fn wait(&mut self, work: &mut watch::Receiver<()>, ticks: &mut Ticks) {
        let is_busy = !self.steps.is_empty();
        tokio::select! {
            Some(ended) = self.steps.join_next_with_id(), if is_busy => {
                let (id, result) = match ended {
                    Ok((id, result)) => (id, result),
                    Err(panicked) => (panicked.id(), Err(anyhow!("a step ended in a fault of the host: {panicked}"))),
                };
                if let (Some(mine), Err(fault)) = (self.mine.remove(&id), result) {
                    self.faulty(&mine.lease, fault).await;
                }
            }
            _ = work.changed() => {}
            _ = ticks.look.tick() => self.look().await,
            _ = ticks.wish.tick(), if is_busy => self.hear_wishes().await,
            _ = ticks.renew.tick() => {
                if let Err(error) = self.renew().await {
                    tracing::warn!("the steps under way may be taken by another worker: {error}");
                }
            }
        }
    }

    /// A step that met a fault of the host is given back. One who works for one project is told of it; else it is tried again later.
    async fn faulty(&mut self, lease: &Lease, fault: anyhow::Error) {
        let orchestrator = &self.orchestrator;
        let is_all = self.only.is_none();
        let settled = match is_all {
            true => orchestrator.give_back_faulty(lease, &format!("{fault:#}")).await,
            false => orchestrator.store.hand_back(lease, false).await.map_err(Into::into),
        };
        if let Err(error) = settled {
            tracing::warn!("step {} of {} can't be given back yet: {error:#}", lease.step, lease.project);
            self.undone.push((lease.clone(), is_all));
        }
        if !is_all {
            self.fault.get_or_insert(fault);
        }
    }

    /// Shows that this process lives, gives back what could not be given back, and frees what processes had that have died.
    async fn look(&mut self) {
        let store = &self.orchestrator.store;
        let own = self.orchestrator.boot.as_deref();
        if let Some(own) = own
            && let Err(error) = store.confirm(own).await
        {
            tracing::warn!("others may hold this process for dead: {error}");
            return;
        }
        let mut undone = Vec::new();
        for (lease, fault) in self.undone.drain(..) {
            if store.hand_back(&lease, fault).await.is_err() {
                undone.push((lease, fault));
            }
        }
        self.undone = undone;
        match store.recover_dead(own).await {
            Ok(0) => {}
            Ok(recovered) => tracing::info!("{recovered} model calls of a process that died were released"),
            Err(error) => tracing::warn!("dead workers can't be looked for: {error}"),
        }
    }

    async fn hear_wishes(&self) {
        let orchestrator = &self.orchestrator;
        let Ok(held) = orchestrator.store.held(orchestrator.gateway.boot()).await else { return };
        for mine in self.mine.values() {
            let is_it =
                |held: &&Held| held.number == mine.lease.number && held.project == mine.lease.project && held.step == mine.lease.step;
            match held.iter().find(is_it) {
                Some(held) if held.cancel => drop(mine.stop.send(true)),
                // Once it is to wait it does, even if somebody lets it go on right away: then it is taken again.
                Some(held) if held.pause => mine.pausing.store(true, Ordering::Relaxed),
                Some(_) => {}
                None => match orchestrator.store.standing(&mine.lease).await {
                    Ok(Standing::Taken) => drop(mine.stop.send(true)),
                    // It ended just now, or nobody wants it as things are. If that may change, it keeps what it has.
                    Ok(Standing::Gone) => match orchestrator.store.project(&mine.lease.project).await {
                        Ok(project) if project.state.may_return(&mine.lease.step) => mine.pausing.store(true, Ordering::Relaxed),
                        Ok(_) => drop(mine.stop.send(true)),
                        Err(_) => {}
                    },
                    Ok(Standing::Held) | Err(_) => {}
                },
            }
        }
    }

    async fn renew(&mut self) -> Result<()> {
        let store = &self.orchestrator.store;
        store.renew(&self.mine.values().map(|mine| &mine.lease).collect::<Vec<_>>()).await?;
        if self.only.is_none() {
            store.show_worker(self.orchestrator.gateway.boot(), self.slots).await?;
        }
        self.renewed = SystemTime::now();
        Ok(())
    }
}
