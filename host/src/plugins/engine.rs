//! The one wasmtime engine: deterministic, metered, with a pool of instance slots and a compile cache on disk.

use super::PluginError;
use super::limits::{
    AGENT_RUNS_MAX, CORE_INSTANCES_PER_COMPONENT_MAX, EPOCH_TICK, HOST_STACK_BYTES, INDEXER_RUNS_MAX, Limits, MEMORY_MIB_MAX,
    RUNNER_RUNS_MAX, RUNNER_STACK_BYTES_MAX, STACK_BYTES_MAX,
};
use std::path::Path;
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// The engine of agents and indexers, for so many runs of agents at one time; compiled components are cached in this directory. A slot
/// reserves address space for the largest component there may be, so a pool has an end; beyond it, slots are made when they are needed.
pub fn for_agents(cache: &Path, runs: usize) -> Result<Engine, PluginError> {
    let is_pooled = runs <= AGENT_RUNS_MAX;
    build(cache, STACK_BYTES_MAX, is_pooled.then(|| pool(runs + INDEXER_RUNS_MAX, &Limits::default())))
}

/// The engine of runners, with a pool of its own, so that an agent that calls checks can't keep them from running.
pub fn for_runners(cache: &Path) -> Result<Engine, PluginError> {
    build(cache, RUNNER_STACK_BYTES_MAX, Some(pool(RUNNER_RUNS_MAX, &Limits::of_world("runner"))))
}

fn build(cache: &Path, stack_bytes: usize, pool: Option<PoolingAllocationConfig>) -> Result<Engine, PluginError> {
    let engine = Engine::new(&config(cache, stack_bytes, pool)?).or_else(|error| {
        // A machine with little address space can't reserve the pool; slots are then made when they are needed.
        tracing::warn!("instances are allocated on demand: {error:#}");
        Engine::new(&config(cache, stack_bytes, None).map_err(wasmtime::Error::from)?)
    });
    let engine = engine.map_err(|error| PluginError::engine("engine", &error))?;
    tick(&engine);
    Ok(engine)
}

fn config(cache: &Path, stack_bytes: usize, pool: Option<PoolingAllocationConfig>) -> Result<Config, PluginError> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes + HOST_STACK_BYTES);
    let mut settings = CacheConfig::new();
    let directory = std::path::absolute(cache).map_err(|error| PluginError::io(cache, error))?;
    settings.with_directory(directory);
    config.cache(Some(Cache::new(settings).map_err(|error| PluginError::engine("cache", &error))?));
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Ok(config)
}

/// A slot for every run that the semaphores let in. A component consists of several core instances.
fn pool(runs: usize, limits: &Limits) -> PoolingAllocationConfig {
    let runs = u32::try_from(runs).unwrap_or(u32::MAX);
    let parts = runs * CORE_INSTANCES_PER_COMPONENT_MAX;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runs)
        .total_core_instances(parts)
        .total_memories(parts)
        .total_tables(parts)
        .total_stacks(runs)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_tables_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .table_elements(usize::try_from(limits.table_elements).unwrap_or(usize::MAX))
        .max_memory_size(usize::try_from(MEMORY_MIB_MAX * 1024 * 1024).unwrap_or(usize::MAX));
    pool
}

/// One plain thread moves the epoch on, for as long as the engine lives.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    let ticker = std::thread::Builder::new().name("epoch".to_owned());
    let started = ticker.spawn(move || {
        loop {
            std::thread::sleep(EPOCH_TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    });
    started.expect("a process that can't start one thread can't do anything");
}
