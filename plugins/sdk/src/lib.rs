//! What an author of an Atelier plugin depends on: the bindings of the contract, a model that can be scripted in tests, and the
//! reading of fenced replies. It holds no strategy; that is the plugin's own.
//!
//! A plugin names its world as a feature of this crate, implements the world's `Guest` trait and registers it with the world's
//! `export!` macro; `plugins/architect/src/lib.rs` shows all of it in a page.

pub mod fences;
pub mod files;
pub mod model;
pub mod template;
pub mod words;

/// The interfaces that agents import.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod host {
    wit_bindgen::generate!({
        path: "../../wit/v0.1.0",
        world: "host-imports",
        additional_derives: [PartialEq],
        generate_all,
    });
}

pub use host::atelier::agent::{checks, credits, dialogue, index, job, llm, log, types, workspace};

/// The architect's world: implement `Guest`, then `atelier_sdk::architect::export!(Mine with_types_in atelier_sdk::architect)`.
#[cfg(feature = "architect")]
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod architect {
    wit_bindgen::generate!({
        path: "../../wit/v0.1.0",
        world: "architect",
        pub_export_macro: true,
        with: {
            "atelier:agent/types@0.1.0": crate::types,
            "atelier:agent/job@0.1.0": crate::job,
            "atelier:agent/llm@0.1.0": crate::llm,
            "atelier:agent/credits@0.1.0": crate::credits,
            "atelier:agent/workspace@0.1.0": crate::workspace,
            "atelier:agent/index@0.1.0": crate::index,
            "atelier:agent/checks@0.1.0": crate::checks,
            "atelier:agent/dialogue@0.1.0": crate::dialogue,
            "atelier:agent/log@0.1.0": crate::log,
        },
    });
}

/// The implementer's world, of 0.2.0.
#[cfg(feature = "implementer")]
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod implementer {
    wit_bindgen::generate!({
        path: ["../../wit/v0.1.0", "../../wit/v0.2.0"],
        world: "atelier:agent/implementer@0.2.0",
        pub_export_macro: true,
        with: {
            "atelier:agent/types@0.1.0": crate::types,
            "atelier:agent/job@0.1.0": crate::job,
            "atelier:agent/llm@0.1.0": crate::llm,
            "atelier:agent/credits@0.1.0": crate::credits,
            "atelier:agent/workspace@0.1.0": crate::workspace,
            "atelier:agent/index@0.1.0": crate::index,
            "atelier:agent/checks@0.1.0": crate::checks,
            "atelier:agent/log@0.1.0": crate::log,
        },
    });
}

/// The documenter's world, of 0.2.0.
#[cfg(feature = "documenter")]
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod documenter {
    wit_bindgen::generate!({
        path: ["../../wit/v0.1.0", "../../wit/v0.2.0"],
        world: "atelier:agent/documenter@0.2.0",
        pub_export_macro: true,
        with: {
            "atelier:agent/types@0.1.0": crate::types,
            "atelier:agent/job@0.1.0": crate::job,
            "atelier:agent/llm@0.1.0": crate::llm,
            "atelier:agent/credits@0.1.0": crate::credits,
            "atelier:agent/workspace@0.1.0": crate::workspace,
            "atelier:agent/index@0.1.0": crate::index,
            "atelier:agent/log@0.1.0": crate::log,
        },
    });
}

/// The indexer's world.
#[cfg(feature = "indexer")]
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod indexer {
    wit_bindgen::generate!({
        path: "../../wit/v0.1.0",
        world: "indexer",
        pub_export_macro: true,
        with: { "atelier:agent/log@0.1.0": crate::log },
    });
}
