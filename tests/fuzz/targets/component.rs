//! Bytes that somebody offers as a plugin: compiled, looked at, and refused in words. No bytes may bring the host down.

#![no_main]

use atelier_host::plugins::inspect;
use atelier_host::plugins::manifest::Wasi;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true);
    Engine::new(&config).expect("an engine")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(component) = Component::from_binary(&ENGINE, bytes) else { return };
    for world in ["atelier:agent/architect@0.1.0", "atelier:agent/implementer@0.2.0", "atelier:agent/runner@0.1.0", "nonsense"] {
        inspect::problems(&ENGINE, &component, world, Wasi::Empty);
    }
    inspect::made_for(&ENGINE, &component, "implementer");
});
