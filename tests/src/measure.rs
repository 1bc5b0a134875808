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

impl Line {
    fn ratio(&self) -> Option<f64> {
        self.bare.map(|bare| self.ours.as_secs_f64() / bare.as_secs_f64())
    }
}

/// Prints the table and a last line of figures; says whether every target is met.
pub fn show(title: &str, lines: &[Line]) -> bool {
    let good = table(lines);
    println!("{title} {}", figures(lines));
    good
}

/// Prints the table; says whether every target is met.
pub fn table(lines: &[Line]) -> bool {
    println!("{:<54} {:>14} {:>14} {:>8}", "", "bare", "atelier", "ratio");
    for line in lines {
        let ratio = line.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let bare = line.bare.map_or("-".to_owned(), micros);
        let mark = if line.good { "" } else { "  TARGET MISSED" };
        println!("{:<54} {bare:>14} {:>14} {ratio:>8}{mark}", line.name, micros(line.ours));
    }
    lines.iter().all(|line| line.good)
}

/// Each line as `name=ratio`, or its time where there is nothing to compare it with.
pub fn figures(lines: &[Line]) -> String {
    let name = |line: &Line| line.name.replace(" + ", "_").replace(", ", "_").replace(' ', "_");
    let figure = |line: &Line| line.ratio().map_or_else(|| micros(line.ours), |ratio| format!("{ratio:.2}x"));
    lines.iter().map(|line| format!("{}={}", name(line), figure(line))).collect::<Vec<_>>().join(" ")
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
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
