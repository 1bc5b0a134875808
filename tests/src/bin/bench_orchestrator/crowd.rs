//! Many projects at one time: how many a second workers finish, how long a step waits for a free worker, and whether any project stands
//! still while others move.

use anyhow::{Result, ensure};
use atelier_host::app::Reader;
use atelier_host::orchestrator::Orchestrator;
use atelier_host::store::Store;
use std::time::{Duration, Instant};
use tests::database::Cluster;
use tests::home::{Home, assert_audit, begin_approved};
use tests::program::Worker;
use tests::workshop::{Tasks, Workshop};
use tokio::task::JoinSet;

/// Projects at one time, with a model that takes its time.
pub(crate) const CROWD: usize = 1_000;
/// How long that takes over each answer.
const THINKING: Duration = Duration::from_millis(300);
/// Steps at one time.
const SLOTS: usize = 64;
/// Projects for the workers of one database, with an instant model.
const SHARED: usize = 150;
/// Projects one after the other on a worker that waits for them.
const ALONE: usize = 30;
/// How often somebody looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a crowd of projects came through.
pub(crate) struct Crowd {
    pub seconds: f64,
    pub per_second: f64,
    /// Runs that the projects had behind them when half of all were done: the fewest and the most.
    pub midway: (usize, usize),
    /// Of one's end and another's, as a share of the whole time.
    pub first_end: f64,
}

/// Many projects of one user, all begun before anything is worked on, in one process.
pub(crate) async fn crowd() -> Result<Crowd> {
    let workshop = Workshop::new(1, Tasks::Apart, || THINKING).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DEFAULT_GRANT", "100000".to_owned()));
    let app = home.app(&workshop.server.url).await;
    for _ in 0..CROWD {
        app.control.create("local", "parts", None).await?;
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let orchestrator = app.orchestrator.clone();
    let serving = tokio::spawn(async move { orchestrator.serve(SLOTS, async { drop(stopped.await) }).await });
    let came = see_through(&app.reader.store, &app.orchestrator, CROWD).await?;
    let _ = stop.send(());
    serving.await??;
    assert_audit(&app.reader.store, &[]).await;
    Ok(came)
}

/// Projects a second with an instant model, by so many worker processes on one server.
pub(crate) async fn shared(cluster: &Cluster, count: usize) -> Result<f64> {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DEFAULT_GRANT", "100000".to_owned()));
    home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
    home.variables.push(("ATELIER_WORKER_SLOTS", "8".to_owned()));
    let reader = Reader::open(home.settings(&workshop.server.url)).await?;
    let orchestrator = reader.orchestrator("a person", None).await?;
    let workers: Vec<Worker> = (0..count).map(|_| Worker::start(&home, &workshop.server.url)).collect();
    while reader.store.workers().await?.len() < count {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    for _ in 0..SHARED {
        orchestrator.control.create("local", "parts", None).await?;
    }
    let came = see_through(&reader.store, &orchestrator, SHARED).await;
    drop(workers);
    reader.store.recover_dead(None).await?;
    assert_audit(&reader.store, &[]).await;
    Ok(came?.per_second)
}

/// How long a step waits for a worker that has nothing else to do: the half of them, and 99 of 100, in milliseconds. In the worker's own
/// process, and from another one by way of the server.
pub(crate) async fn waits(cluster: &Cluster) -> Result<[(i64, i64); 2]> {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    for _ in 0..ALONE {
        begin_approved(&app, "parts").await;
    }
    let own = waited(&app.reader.store).await?;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
    let reader = Reader::open(home.settings(&workshop.server.url)).await?;
    let orchestrator = reader.orchestrator("a person", None).await?;
    let worker = Worker::start(&home, &workshop.server.url);
    while reader.store.workers().await?.is_empty() {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    for number in 1..=ALONE {
        orchestrator.control.create("local", "parts", None).await?;
        see_through(&reader.store, &orchestrator, number).await?;
    }
    drop(worker);
    Ok([own, waited(&reader.store).await?])
}

/// Plays the users, who approve, until so many are delivered.
async fn see_through(store: &Store, orchestrator: &Orchestrator, count: usize) -> Result<Crowd> {
    let began = Instant::now();
    let (mut midway, mut first_end) = (None, None);
    loop {
        let mut approving = JoinSet::new();
        for id in store.in_phase("quoted", 64).await? {
            let (store, control) = (store.clone(), orchestrator.control.clone());
            let ceiling = orchestrator.quote(&store.project(&id).await?).await?.ceiling;
            approving.spawn(async move { control.approve(&store.project(&id).await?, ceiling).await });
        }
        while let Some(approved) = approving.join_next().await {
            approved??;
        }
        let done = store.in_phase("delivered", u32::MAX).await?.len();
        if done > 0 && first_end.is_none() {
            first_end = Some(began.elapsed());
        }
        if done >= count {
            break;
        }
        if midway.is_none() && began.elapsed() > Duration::from_secs(10) {
            midway = Some(progress(store).await?);
        }
        ensure!(began.elapsed() < PATIENCE, "{done} of {count} projects came to their end");
        let failed = store.in_phase("failed", 1).await?;
        ensure!(failed.is_empty(), "project {failed:?} failed");
        tokio::time::sleep(LOOK_INTERVAL.min(began.elapsed() / 10 + Duration::from_millis(1))).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a small count")]
    let per_second = count as f64 / seconds;
    let midway = match midway {
        Some(midway) => midway,
        None => progress(store).await?,
    };
    Ok(Crowd { seconds, per_second, midway, first_end: first_end.map_or(1.0, |end| end.as_secs_f64() / seconds) })
}

/// The runs that a project has behind it: the fewest and the most of all projects.
async fn progress(store: &Store) -> Result<(usize, usize)> {
    let (mut fewest, mut most) = (usize::MAX, 0);
    for project in store.history(u32::MAX).await? {
        let runs = store.runs(&project.id).await?.iter().filter(|run| run.outcome == "done").count();
        (fewest, most) = (fewest.min(runs), most.max(runs));
    }
    Ok((fewest, most))
}

async fn waited(store: &Store) -> Result<(i64, i64)> {
    let mut all = Vec::new();
    for project in store.history(u32::MAX).await? {
        all.extend(store.runs(&project.id).await?.iter().map(|run| run.waited_ms));
    }
    all.sort_unstable();
    Ok((all[all.len() / 2], all[all.len() * 99 / 100]))
}
