//! Every bound of a plugin run, with its default and its reason. An operator may lower or raise some of them per plugin in
//! `plugins.toml`, up to the maximum given here.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An epoch tick. Ten milliseconds are short enough that no run keeps the others waiting, and long enough to cost nothing.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Runs of agents at one time; each waits for a model most of the time, and takes a few MiB.
pub const AGENT_RUNS_MAX: usize = 64;
/// Runs of the indexer at one time. A pool of its own, so that an agent that waits for the index can't keep it from running.
pub const INDEXER_RUNS_MAX: usize = 2;
/// Runs of runners at one time: they compute, so more than the cores would only wait.
pub const RUNNER_RUNS_MAX: usize = 2;
/// Core instances, memories and tables a component may consist of. A componentized Rust guest has three, an interpreter with its
/// libraries some forty.
pub const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;
/// A component file. Interpreters compiled to wasm are about 25 MB.
pub const COMPONENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The stack of an agent; deep recursion ends in a trap.
pub const STACK_BYTES_MAX: usize = 1024 * 1024;
/// The stack of a runner: room for an interpreter to notice recursion itself and say so to the program.
pub const RUNNER_STACK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What the host needs on the same stack.
pub const HOST_STACK_BYTES: usize = 1024 * 1024;
/// The memory that the operator may grant at most, in MiB.
pub const MEMORY_MIB_MAX: u64 = 1024;

/// What one run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// All memories of the instance together, in MiB. Agents handle text; 64 MiB is fifty times the largest prompt.
    pub memory_mib: u64,
    /// All tables together, in elements; function tables of a large guest have a few thousand.
    pub table_elements: u64,
    /// CPU time, as millions of instructions. Parsing a few megabytes takes hundreds of millions.
    pub fuel_millions: u64,
    /// Time inside the guest, in seconds; time spent waiting for the host does not count.
    pub guest_seconds: u64,
    /// Time of the whole run, in seconds. Model calls of a long task take minutes.
    pub run_seconds: u64,
    /// Host calls. A run that reads a whole project and makes twenty model calls needs a few hundred.
    pub host_calls: u32,
    /// Bytes that cross from guest to host in one call; the largest is a prompt.
    pub argument_bytes: usize,
    /// What the host's answers of a run may be together in its journal, in MiB. A long task's are a few.
    pub journal_mib: u64,
    /// Bytes written to the log and shown as progress. What is over is dropped.
    pub log_bytes: usize,
    /// Questions to the user.
    pub questions: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_mib: 64,
            table_elements: 20_000,
            fuel_millions: 20_000,
            guest_seconds: 30,
            run_seconds: 3_600,
            host_calls: 5_000,
            argument_bytes: 8 * 1024 * 1024,
            journal_mib: 64,
            log_bytes: 64 * 1024,
            questions: 10,
        }
    }
}

impl Limits {
    /// The defaults of a role. A runner is an interpreter: it needs room, and gets less time, because tests are short. An indexer reads one file.
    pub fn of_world(world: &str) -> Limits {
        match world {
            "runner" => Limits {
                memory_mib: 512,
                table_elements: 400_000,
                fuel_millions: 40_000,
                guest_seconds: 20,
                run_seconds: 60,
                argument_bytes: 64 * 1024 * 1024,
                ..Limits::default()
            },
            // A tree of syntax takes a hundred times the memory of its text, and a second of time where the text is hostile.
            "indexer" => Limits { memory_mib: 256, fuel_millions: 5_000, guest_seconds: 10, run_seconds: 20, ..Limits::default() },
            _ => Limits::default(),
        }
    }

    /// All memories together.
    pub fn memory_bytes(&self) -> usize {
        usize::try_from(self.memory_mib.min(MEMORY_MIB_MAX) * 1024 * 1024).unwrap_or(usize::MAX)
    }

    /// All answers together.
    pub fn journal_bytes(&self) -> u64 {
        self.journal_mib.saturating_mul(1024 * 1024)
    }

    /// Instructions, roughly.
    pub fn fuel(&self) -> u64 {
        self.fuel_millions.saturating_mul(1_000_000)
    }
}

/// What a guest asked for and did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// More memory.
    Memory,
    /// A longer table.
    Table,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Refused::Memory => "it asked for more memory than it may have (limit memory_mib)",
            Refused::Table => "it asked for longer tables than it may have (limit table_elements)",
        })
    }
}

/// Adds up all memories and all tables of an instance; wasmtime's own limiter looks at each alone.
#[derive(Debug)]
pub struct Meter {
    memory_limit_bytes: usize,
    table_limit: usize,
    memory_bytes: usize,
    table_elements: usize,
    /// The largest sum of all memories.
    pub memory_peak_bytes: usize,
    /// What was refused last; tells "out of memory" from another trap.
    pub refused: Option<Refused>,
}

impl Meter {
    /// A meter with nothing used.
    pub fn new(limits: &Limits) -> Meter {
        Meter {
            memory_limit_bytes: limits.memory_bytes(),
            table_limit: usize::try_from(limits.table_elements).unwrap_or(usize::MAX),
            memory_bytes: 0,
            table_elements: 0,
            memory_peak_bytes: 0,
            refused: None,
        }
    }
}

impl wasmtime::ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.memory_limit_bytes;
        if allowed {
            self.memory_bytes = total;
            self.memory_peak_bytes = self.memory_peak_bytes.max(total);
        }
        if !allowed {
            self.refused = Some(Refused::Memory);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        let allowed = total <= self.table_limit;
        if allowed {
            self.table_elements = total;
        }
        if !allowed {
            self.refused = Some(Refused::Table);
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT_MAX as usize
    }

    fn memories(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT_MAX as usize
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::ResourceLimiter;

    #[test]
    fn many_small_memories_count_as_one_large_one() {
        let mut meter = Meter::new(&Limits { memory_mib: 1, ..Limits::default() });
        for _ in 0..4 {
            assert!(meter.memory_growing(0, 256 * 1024, None).expect("an answer"));
        }
        assert!(!meter.memory_growing(0, 1, None).expect("an answer"));
        assert_eq!(meter.refused, Some(Refused::Memory));
        assert_eq!(meter.memory_peak_bytes, 1024 * 1024);
    }
}
