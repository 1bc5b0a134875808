//! WASI with nothing behind it, for interpreters that can't be built without: no file, no socket, no variable, a clock that stands and random
//! numbers that repeat. So a run of theirs can be replayed like any other.

use std::time::Duration;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView};

/// The day on which every program runs: 2026-01-01T00:00:00Z.
const WALL_CLOCK: Duration = Duration::from_secs(1_767_225_600);
/// Random numbers that are the same in every run.
const SEED: u64 = 0x005E_ED0F_A7E1_1E12;
/// Streams and waits that a guest may hold at one time; they take the host's memory. An interpreter holds a handful.
const HANDLES_MAX: usize = 1_000;

/// What a guest finds behind WASI.
pub(super) struct EmptyWasi {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl EmptyWasi {
    pub(super) fn new() -> EmptyWasi {
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .wall_clock(StandingClock)
            .monotonic_clock(StandingClock)
            .secure_random(Deterministic::new(seed_bytes()))
            .insecure_random(Deterministic::new(seed_bytes()))
            .insecure_random_seed(u128::from(SEED));
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        EmptyWasi { wasi: wasi.build(), table }
    }

    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A clock that stands still: a program that waits for it is waiting in vain, and its time limit ends it.
struct StandingClock;

impl HostWallClock for StandingClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        WALL_CLOCK
    }
}

impl HostMonotonicClock for StandingClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Enough bytes that no program sees the cycle by accident.
fn seed_bytes() -> Vec<u8> {
    let mut state = SEED;
    std::iter::repeat_with(|| {
        // An xorshift; quality does not matter, repetition does.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(4_096)
    .collect()
}
