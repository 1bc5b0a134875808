//! Times two ways of doing the same, in turn, and shows them side by side.

use std::future::Future;
use std::time::{Duration, Instant};

/// Rounds of each pair; the median is shown.
const ROUNDS: usize = 15;

/// One row of a benchmark's table.
pub struct Line {
    /// What is done.
    pub name: String,
    /// By a bare program, where there is one.
    pub bare: Option<Duration>,
    /// By Atelier.
    pub ours: Duration,
    /// Whether the target is met.
    pub good: bool,
}

/// Prints the table and a last line of figures; says whether every target is met.
pub fn show(title: &str, lines: &[Line]) -> bool {
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    println!("{:<54} {:>14} {:>14} {:>8}", "", "bare", "atelier", "ratio");
    let mut figures = Vec::new();
    for line in lines {
        let ratio = line.bare.map(|bare| line.ours.as_secs_f64() / bare.as_secs_f64());
        let shown = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let bare = line.bare.map_or("-".to_owned(), micros);
        let mark = if line.good { "" } else { "  TARGET MISSED" };
        println!("{:<54} {bare:>14} {:>14} {shown:>8}{mark}", line.name, micros(line.ours));
        figures.push(format!("{}={}", line.name.replace([' ', ','], "_"), ratio.map_or(micros(line.ours), |ratio| format!("{ratio:.2}x"))));
    }
    println!("{title} {}", figures.join(" "));
    lines.iter().all(|line| line.good)
}

/// Both sides in turn, round by round, so that a slow moment of the machine hits both. Good where ours is at most `ratio_max` of bare.
pub async fn pair<A, B>(
    name: impl Into<String>,
    ratio_max: f64,
    batch: u32,
    mut bare: impl FnMut() -> A,
    mut ours: impl FnMut() -> B,
) -> anyhow::Result<Line>
where
    A: Future<Output = anyhow::Result<()>>,
    B: Future<Output = anyhow::Result<()>>,
{
    let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_times.push(timed(batch, &mut bare).await?);
        our_times.push(timed(batch, &mut ours).await?);
    }
    let (bare, ours) = (middle(bare_times), middle(our_times));
    Ok(Line { name: name.into(), bare: Some(bare), ours, good: ours.as_secs_f64() <= bare.as_secs_f64() * ratio_max })
}

/// One side alone.
pub async fn median<F: Future<Output = anyhow::Result<()>>>(batch: u32, mut work: impl FnMut() -> F) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(timed(batch, &mut work).await?);
    }
    Ok(middle(times))
}

async fn timed<F: Future<Output = anyhow::Result<()>>>(batch: u32, work: &mut impl FnMut() -> F) -> anyhow::Result<Duration> {
    let started = Instant::now();
    for _ in 0..batch {
        work().await?;
    }
    Ok(started.elapsed() / batch)
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
