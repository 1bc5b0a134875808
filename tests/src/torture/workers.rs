//! The same with several workers on one database: any of them is killed at any instant, and one is started in its place. Nobody tells
//! the others; they go on with what it had.

use super::{Dice, Figures, IDEA, KILLS_OF_ONE_PROJECT_MAX, RUN_TIME_MAX, Undisturbed, Work, check_books, is_call_open, judge, provider};
use crate::home::Home;
use crate::program::Worker;
use anyhow::{Result, ensure};
use atelier_host::app::Reader;
use atelier_host::delivery::Delivery;
use atelier_host::orchestrator::Orchestrator;
use atelier_host::project::Phase;
use std::time::{Duration, Instant};

/// How often the project is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn one_project(
    count: usize,
    work: Work,
    figures: &mut Figures,
    kills: u32,
    undisturbed: &Undisturbed,
    dice: &mut Dice,
) -> Result<()> {
    let (home, server) = (Home::shipped(), provider(work, dice.below(u64::MAX)).await?);
    server.log_to(&home.beside("provider.jsonl"));
    let reader = Reader::open(home.settings(&server.url)).await?;
    let orchestrator = reader.orchestrator("torture", None).await?;
    let project = orchestrator.control.create("local", IDEA, None).await?.id;
    let mut workers: Vec<Worker> = (0..count).map(|_| Worker::start(&home, &server.url)).collect();
    let (began, mut killed) = (Instant::now(), 0);
    // Often enough that a project meets several.
    let patience = u64::try_from(undisturbed.duration.as_micros())? / 2;
    let mut next_kill = Instant::now() + Duration::from_micros(dice.below(patience));
    while !settled(&reader, &orchestrator, &project).await? {
        ensure!(began.elapsed() < RUN_TIME_MAX + undisturbed.duration * killed * 10, "the project does not come to its end");
        let disturbed = figures.kills < kills && killed < KILLS_OF_ONE_PROJECT_MAX;
        if !disturbed || Instant::now() < next_kill {
            tokio::time::sleep(LOOK_INTERVAL).await;
            continue;
        }
        drop(workers.swap_remove(usize::try_from(dice.below(count as u64))?));
        figures.kills += 1;
        killed += 1;
        figures.kills_during_a_call += u32::from(is_call_open(&home, &server.url).await?);
        check_books(&home, &server.url, figures).await?;
        workers.push(Worker::start(&home, &server.url));
        next_kill = Instant::now() + Duration::from_micros(dice.below(patience));
    }
    drop(workers);
    // Whoever comes next finds out that they are dead.
    reader.store.recover_dead(None).await?;
    let (project, out) = (reader.store.project(&project).await?, home.beside("out"));
    if project.state.phase == Phase::Delivered {
        Delivery::of(&reader.store, &project).await?.write(&out)?;
    } else {
        eprintln!("ended with {:?}", project.state.phase);
        figures.lost += 1;
    }
    server.asked();
    judge(work, &home, &server, figures, undisturbed, &out).await
}

/// Whether it came to its end. Plays the user, who approves.
async fn settled(reader: &Reader, orchestrator: &Orchestrator, project: &str) -> Result<bool> {
    let project = reader.store.project(project).await?;
    match project.state.phase {
        Phase::Quoted => {
            let ceiling = orchestrator.quote(&project).await?.ceiling;
            orchestrator.control.approve(&project, ceiling).await?;
            Ok(false)
        }
        Phase::Paused(pause, _) => anyhow::bail!("the project waits: {pause}"),
        _ => Ok(project.state.is_over()),
    }
}
