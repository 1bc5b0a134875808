//! `make torture`, `make torture-projects` and `make torture-bot KILLS=N STORE=sqlite|postgres`: [`tests::torture`] with as many kills as
//! you like, over projects of one task, of many at one time, or begun by people in their chats. Prints how it goes and, last, one line
//! of figures; ends with 1 if anything was lost, doubled or overshot. `SEED` repeats a run's instants, as far as a machine can.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::database::Engine;
use tests::torture::bot::torture_bot;
use tests::torture::{Work, torture};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = number("KILLS").and_then(|kills| u32::try_from(kills).ok()).unwrap_or(200);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let seed = number("SEED").unwrap_or(now);
    println!("{kills} kills on {:?}, seed {seed}", Engine::of_tests());
    if std::env::args().nth(1).as_deref() == Some("bot") {
        return bot(kills, seed).await;
    }
    let (name, work) = match std::env::args().nth(1).as_deref() {
        Some("projects") => ("torture-projects", Work::ManyTasks),
        _ => ("torture", Work::OneTask),
    };
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

async fn bot(kills: u32, seed: u64) -> ExitCode {
    let figures = torture_bot(kills, seed, |figures| {
        println!(
            "{:>5} kills, {:>3} of them during a send, {:>3} rounds, {:>4} updates, {:>5} messages",
            figures.kills, figures.kills_during_a_send, figures.rounds, figures.updates, figures.messages
        );
    })
    .await;
    match figures {
        Ok(figures) => {
            println!(
                "torture-bot store={:?} kills={} during_a_send={} rounds={} updates={} updates_lost={} updates_doubled={} messages={} messages_lost={} messages_doubled={} sent_again_to_be_sure={} uncertain={} books={}",
                Engine::of_tests(),
                figures.kills,
                figures.kills_during_a_send,
                figures.rounds,
                figures.updates,
                figures.updates_lost,
                figures.updates_doubled,
                figures.messages,
                figures.messages_lost,
                figures.messages_doubled,
                figures.repeated,
                figures.uncertain,
                figures.books
            );
            if figures.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
