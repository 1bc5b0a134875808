//! A bare wasmtime program: the same components, with the imports that they will call and nothing around them. No limit, no meter, no
//! journal. Benchmarks stand Atelier beside it.

use anyhow::anyhow;
use atelier_host::plugins::api::v0_1_0::{architect, indexer, log, types, workspace};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The indexer.
pub struct Indexer {
    engine: Engine,
    pre: indexer::IndexerPre<()>,
}

impl Indexer {
    /// Compiles it.
    pub fn new(engine: &Engine, bytes: &[u8]) -> anyhow::Result<Indexer> {
        let component = Component::from_binary(engine, bytes).map_err(plain)?;
        let mut linker = Linker::<()>::new(engine);
        linker.define_unknown_imports_as_traps(&component).map_err(plain)?;
        let pre = linker.instantiate_pre(&component).map_err(plain)?;
        Ok(Indexer { engine: engine.clone(), pre: indexer::IndexerPre::new(pre).map_err(plain)? })
    }

    /// One call in a fresh instance.
    pub async fn index(&self, text: &str) -> anyhow::Result<()> {
        let mut store = Store::new(&self.engine, ());
        let instance = self.pre.instantiate_async(&mut store).await.map_err(plain)?;
        instance.call_index_file(&mut store, "a.py", text).await.map_err(plain)?;
        Ok(())
    }
}

/// WASI as it comes, for an interpreter that asks for it.
#[derive(Default)]
pub struct Wasi(Option<(WasiCtx, ResourceTable)>);

impl WasiView for Wasi {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = self.0.get_or_insert_with(|| (WasiCtx::builder().build(), ResourceTable::new()));
        WasiCtxView { ctx, table }
    }
}

/// An architect. Its idea is what the benchmark gives it.
pub struct Architect {
    engine: Engine,
    pre: architect::ArchitectPre<Wasi>,
}

impl Architect {
    /// Compiles it; `idea` is what it will be told.
    pub fn new(engine: &Engine, bytes: &[u8], idea: &str) -> anyhow::Result<Architect> {
        let component = Component::from_binary(engine, bytes).map_err(plain)?;
        let mut linker = Linker::<Wasi>::new(engine);
        define_as_traps(engine, &component, &mut linker).map_err(plain)?;
        linker.allow_shadowing(true);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(plain)?;
        answer(&mut linker, idea.to_owned()).map_err(plain)?;
        let pre = linker.instantiate_pre(&component).map_err(plain)?;
        Ok(Architect { engine: engine.clone(), pre: architect::ArchitectPre::new(pre).map_err(plain)? })
    }

    /// `verify`, in a fresh instance. What it returns is not looked at.
    pub async fn verify(&self) -> anyhow::Result<()> {
        let (mut store, instance) = self.instance().await?;
        let _ = instance.call_verify(&mut store).await.map_err(plain)?;
        Ok(())
    }

    /// `elicit`, in a fresh instance. What it returns is not looked at.
    pub async fn elicit(&self) -> anyhow::Result<()> {
        let (mut store, instance) = self.instance().await?;
        let _ = instance.call_elicit(&mut store).await.map_err(plain)?;
        Ok(())
    }

    /// An instance that goes on living.
    pub async fn instance(&self) -> anyhow::Result<(Store<Wasi>, architect::Architect)> {
        let mut store = Store::new(&self.engine, Wasi::default());
        let instance = self.pre.instantiate_async(&mut store).await.map_err(plain)?;
        Ok((store, instance))
    }

    /// `verify`, in an instance that lets others work at each tick of the engine's epoch.
    pub async fn verify_in_turns(&self) -> anyhow::Result<()> {
        let mut store = Store::new(&self.engine, Wasi::default());
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await.map_err(plain)?;
        let _ = instance.call_verify(&mut store).await.map_err(plain)?;
        Ok(())
    }
}

/// The contract's functions, none of which may be called.
fn define_as_traps(engine: &Engine, component: &Component, linker: &mut Linker<Wasi>) -> wasmtime::Result<()> {
    for (name, import) in component.component_type().imports(engine).filter(|(name, _)| name.starts_with("atelier:")) {
        let ComponentItem::ComponentInstance(interface) = import.ty else { continue };
        let mut host = linker.instance(name)?;
        for (function, _) in interface.exports(engine).filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_))) {
            host.func_new(function, |_, _, _, _| Err(wasmtime::Error::msg("no guest of a benchmark calls this")))?;
        }
    }
    Ok(())
}

/// The imports that the guests of benchmarks call, each with the shortest answer that is of use.
fn answer(linker: &mut Linker<Wasi>, idea: String) -> wasmtime::Result<()> {
    let mut host = linker.instance("atelier:agent/job@0.1.0")?;
    host.func_wrap("idea", move |_, (): ()| Ok((idea.clone(),)))?;
    host.func_wrap("attempt", |_, (): ()| Ok((1_u32,)))?;
    host.func_wrap("results", |_, (): ()| Ok((Vec::<types::CheckResult>::new(),)))?;
    let mut host = linker.instance("atelier:agent/log@0.1.0")?;
    host.func_wrap("write", |_, (_, _): (log::Level, String)| Ok(()))?;
    let mut host = linker.instance("atelier:agent/workspace@0.1.0")?;
    host.func_wrap("list-files", |_, (_,): (Option<String>,)| {
        Ok((Ok::<_, types::Refusal>(workspace::Page { entries: Vec::new(), next: None }),))
    })?;
    host.func_wrap("read", |_, (_,): (String,)| Ok((Ok::<_, types::Refusal>("x".repeat(1_000)),)))?;
    Ok(())
}

/// wasmtime's errors are of a kind of their own.
pub fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
