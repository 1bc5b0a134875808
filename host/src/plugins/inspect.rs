//! What a component imports and exports, and whether that fits its world. Said in words before it is instantiated, instead of
//! by a linker's error afterwards.

use super::api::{PACKAGE, VERSIONS};
use super::manifest::Wasi;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The exports of each world.
const WORLDS: &[(&str, &[&str])] = &[
    ("architect", &["elicit", "make-plan", "verify"]),
    ("implementer", &["implement"]),
    ("indexer", &["index-file"]),
    ("runner", &["parse", "list-tests", "run-tests", "run-command"]),
];

/// Everything the component imports, such as `atelier:agent/llm@0.1.0`.
pub fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Everything that keeps this component from being used as `atelier:agent/WORLD@VERSION`.
pub fn problems(engine: &Engine, component: &Component, world: &str, wasi: Wasi) -> Vec<String> {
    let mut problems = Vec::new();
    let (name, version) = world.strip_prefix("atelier:agent/").and_then(|rest| rest.split_once('@')).unwrap_or((world, ""));
    if !VERSIONS.contains(&version) {
        problems.push(format!("it is made for version `{version}` of {PACKAGE}; this host runs {}", VERSIONS.join(", ")));
    }
    for import in imports(engine, component) {
        if wasi == Wasi::Empty && import.starts_with("wasi:") {
            continue;
        }
        let Some(imported) = import.strip_prefix("atelier:agent/") else {
            problems.push(format!("it imports `{import}`; agents may import {PACKAGE} and nothing else (is it built for wasm32-wasip1? build it for wasm32-unknown-unknown)"));
            continue;
        };
        if let Some((_, imported_version)) = imported.split_once('@')
            && imported_version != version
        {
            problems.push(format!("it imports `{import}`, but its world is of version {version}"));
        }
    }
    let Some((_, wanted)) = WORLDS.iter().find(|(known, _)| *known == name) else {
        problems.push(format!("there is no world `{name}`; there are architect, implementer, indexer and runner"));
        return problems;
    };
    let exports: Vec<String> = component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect();
    for export in wanted.iter().filter(|wanted| !exports.iter().any(|export| export == *wanted)) {
        problems.push(format!("it does not export `{export}`"));
    }
    problems
}
