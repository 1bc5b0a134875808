//! What a component imports and exports, and whether that fits its world. Said in words before it is instantiated, instead of
//! by a linker's error afterwards.

use super::api::{Contract, INTERFACES, PACKAGE, WORLDS, versions_of, worlds};
use super::manifest::Wasi;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};

/// Everything the component imports, such as `atelier:agent/llm@0.1.0`.
pub fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// The newest version of this world that the component is made for, such as `atelier:agent/architect@0.1.0`, by what it exports.
pub fn made_for(engine: &Engine, component: &Component, world: &str) -> Option<String> {
    let exports = exports(engine, component);
    let fits = WORLDS.iter().rev().find(|contract| contract.world == world && misfits(contract, &exports).is_empty())?;
    Some(format!("{PACKAGE}/{world}@{}", fits.version))
}

/// The names that it exports, with what each returns.
fn exports(engine: &Engine, component: &Component) -> Vec<(String, Option<String>)> {
    component.component_type().exports(engine).map(|(name, item)| (name.to_owned(), returned(&item.ty))).collect()
}

/// Everything that keeps this component from being used as `atelier:agent/WORLD@VERSION`.
pub fn problems(engine: &Engine, component: &Component, world: &str, wasi: Wasi) -> Vec<String> {
    let mut problems = wrong_imports(&imports(engine, component), wasi);
    let (name, version) = world.strip_prefix("atelier:agent/").and_then(|rest| rest.split_once('@')).unwrap_or((world, ""));
    let versions = versions_of(name);
    if versions.is_empty() {
        problems.push(format!("there is no world `{name}`; there are {}", worlds().join(", ")));
        return problems;
    }
    let exports = exports(engine, component);
    let of = |contract: &&Contract| contract.world == name && misfits(contract, &exports).is_empty();
    match WORLDS.iter().find(|contract| contract.world == name && contract.version == version) {
        Some(contract) => {
            let misfits = misfits(contract, &exports);
            if let Some(fits) = WORLDS.iter().find(of).filter(|_| !misfits.is_empty()) {
                problems.push(format!(
                    "it is made for version {} of its world and says that it is for {version}; write api = \"{}\" in its plugin.toml, or build it against wit/v{version}",
                    fits.version, fits.version
                ));
            }
            problems.extend(misfits);
        }
        None => problems.push(format!(
            "there is no `{name}` in version `{version}` of {PACKAGE}; this host runs {name} {}: write api = \"{}\" in its plugin.toml",
            versions.join(" and "),
            WORLDS.iter().find(of).map_or(versions[versions.len() - 1], |fits| fits.version)
        )),
    }
    problems
}

fn wrong_imports(imports: &[String], wasi: Wasi) -> Vec<String> {
    let mut problems = Vec::new();
    for import in imports.iter().filter(|import| wasi == Wasi::None || !import.starts_with("wasi:")) {
        match import.strip_prefix("atelier:agent/").map(|interface| interface.split_once('@').unwrap_or((interface, ""))) {
            None => problems.push(format!("it imports `{import}`; agents may import {PACKAGE} and nothing else (is it built for wasm32-wasip1? build it for wasm32-unknown-unknown)")),
            Some((_, INTERFACES)) => {}
            Some((interface, _)) => problems.push(format!("it imports `{import}`; this host has {PACKAGE}/{interface}@{INTERFACES}, which worlds of every version use")),
        }
    }
    problems
}

/// In what the exports differ from those of this contract.
fn misfits(contract: &Contract, exports: &[(String, Option<String>)]) -> Vec<String> {
    let mut misfits = Vec::new();
    for (wanted, returns) in contract.exports {
        match exports.iter().find(|(name, _)| name == wanted) {
            None => misfits.push(format!("it does not export `{wanted}`")),
            Some((_, None)) => misfits.push(format!("its export `{wanted}` is no function")),
            Some((_, Some(found))) if found != returns => {
                misfits.push(format!(
                    "its `{wanted}` returns {found}, and version {} of {} wants {returns}",
                    contract.version, contract.world
                ));
            }
            Some(_) => {}
        }
    }
    misfits
}

/// What a function returns, in WIT's words and so deep that versions can be told apart. What lies deeper is compared by the engine.
fn returned(item: &ComponentItem) -> Option<String> {
    let ComponentItem::ComponentFunc(function) = item else { return None };
    Some(function.results().next().map_or_else(|| "nothing".to_owned(), |result| in_words(&result, 0)))
}

fn in_words(shape: &Type, depth: usize) -> String {
    let list = |names: Vec<String>| names.join(", ");
    match shape {
        Type::String => "string".to_owned(),
        Type::List(of) => format!("list<{}>", in_words(&of.ty(), depth + 1)),
        Type::Option(of) => format!("option<{}>", in_words(&of.ty(), depth + 1)),
        Type::Result(of) => {
            let side = |side: Option<Type>, depth| side.map_or_else(|| "_".to_owned(), |shape| in_words(&shape, depth));
            // Of what may go wrong, that it is there says enough.
            format!("result<{}, {}>", side(of.ok(), depth), side(of.err(), depth + 1))
        }
        Type::Record(of) => format!("record {{ {} }}", list(of.fields().map(|field| field.name.to_owned()).collect())),
        Type::Variant(of) if depth == 0 => format!("variant {{ {} }}", list(of.cases().map(|case| case.name.to_owned()).collect())),
        Type::Variant(_) => "variant".to_owned(),
        other => format!("{other:?}").to_lowercase().chars().take_while(|letter| letter.is_alphanumeric()).collect(),
    }
}
