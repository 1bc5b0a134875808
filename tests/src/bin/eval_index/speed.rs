//! How fast, and with how much memory: measured on the program itself, from outside.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tests::home::Home;
use tests::program::command;

/// Linux counts CPU time in these.
const TICKS_PER_SECOND: f64 = 100.0;
const LOOK_EVERY: Duration = Duration::from_millis(5);
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// What a build took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// On all cores together.
    pub(crate) cpu: Duration,
    /// The most memory at one time, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Runs `atelier index build` on a folder and watches it.
pub(crate) fn build(home: &Home, tree: &Path) -> anyhow::Result<Cost> {
    let tree = tree.display().to_string();
    let mut command = command(home, NOWHERE, &["index", "build", "--in", &tree]);
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut cost = Cost::default();
    loop {
        cost = look(&child).unwrap_or(cost);
        if let Some(status) = child.try_wait()? {
            anyhow::ensure!(status.success(), "index build failed");
            cost.wall = started.elapsed();
            return Ok(cost);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn look(child: &Child) -> Option<Cost> {
    let folder = Path::new("/proc").join(child.id().to_string());
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse::<u64>().ok()?;
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    // After the name in brackets; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(Cost { wall: Duration::ZERO, cpu: Duration::from_secs_f64(ticks / TICKS_PER_SECOND), peak_bytes: peak * 1024 })
}

/// Bytes of a tree.
pub(crate) fn size(tree: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(tree)? {
        let path = entry?.path();
        bytes += if path.is_dir() { size(&path)? } else { path.metadata()?.len() };
    }
    Ok(bytes)
}

/// The middle and the 95th of a hundred, in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (at(50), at(95))
}
