//! `make torture` and `make torture-projects KILLS=N STORE=sqlite|postgres`: [`tests::torture`] with as many kills as you like, over
//! projects of one task or of many at one time. Prints how it goes and, last, one line
//! of figures; ends with 1 if anything was lost, doubled or overshot. `SEED` repeats a run's instants, as far as a machine can.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::database::Engine;
use tests::torture::{Work, torture};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = number("KILLS").and_then(|kills| u32::try_from(kills).ok()).unwrap_or(200);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = number("SEED").unwrap_or(now);
    let (name, work) = match std::env::args().nth(1).as_deref() {
        Some("projects") => ("torture-projects", Work::ManyTasks),
        _ => ("torture", Work::OneTask),
    };
    println!("{kills} kills on {:?}, seed {seed}", Engine::of_tests());
    let figures = torture(work, kills, seed, |figures| {
        println!(
            "{:>5} kills, {:>4} of them during a call, {:>4} projects delivered, {:>5} calls served",
            figures.kills, figures.kills_during_a_call, figures.projects, figures.calls
        );
    })
    .await;
    match figures {
        Ok(figures) => {
            println!(
                "{name} store={:?} kills={} during_a_call={} projects={} calls={} repeated={} lost={} doubled={} overshoot={}",
                Engine::of_tests(),
                figures.kills,
                figures.kills_during_a_call,
                figures.projects,
                figures.calls,
                figures.repeated,
                figures.lost,
                figures.doubled,
                figures.overshoot
            );
            let good = figures.lost == 0 && figures.doubled == 0 && figures.overshoot == 0;
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
