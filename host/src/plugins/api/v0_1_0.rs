//! The bindings of `wit/v0.1.0`: the interfaces once, and a thin binding for each world over them.

/// The interfaces that agents import.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod interfaces {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "host-imports",
        imports: { default: async | trappable },
        additional_derives: [PartialEq],
    });
}

pub use interfaces::atelier::agent::{checks, credits, dialogue, index, job, llm, log, types, workspace};

/// The architect's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod architect {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "architect",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "atelier:agent": super::interfaces::atelier::agent },
    });
}

/// The implementer's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod implementer {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "implementer",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "atelier:agent": super::interfaces::atelier::agent },
    });
}

/// The indexer's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod indexer {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "indexer",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "atelier:agent": super::interfaces::atelier::agent },
    });
}

/// The runner's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod runner {
    wasmtime::component::bindgen!({
        path: "../wit/v0.1.0",
        world: "runner",
        exports: { default: async },
    });
}
