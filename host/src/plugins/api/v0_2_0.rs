//! The bindings of `wit/v0.2.0` over the interfaces of 0.1.0: an implementer that says what it assumed, and the documenter.

use super::words::{line, lines};
use crate::project::{self as noun, ASSUMPTION_CHARS_MAX, ASSUMPTIONS_MAX, SUMMARY_CHARS_MAX};

/// The implementer's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod implementer {
    wasmtime::component::bindgen!({
        path: ["../wit/v0.1.0", "../wit/v0.2.0"],
        world: "atelier:agent/implementer@0.2.0",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "atelier:agent/types@0.1.0": crate::plugins::api::v0_1_0::types,
            "atelier:agent/job@0.1.0": crate::plugins::api::v0_1_0::job,
            "atelier:agent/llm@0.1.0": crate::plugins::api::v0_1_0::llm,
            "atelier:agent/credits@0.1.0": crate::plugins::api::v0_1_0::credits,
            "atelier:agent/workspace@0.1.0": crate::plugins::api::v0_1_0::workspace,
            "atelier:agent/index@0.1.0": crate::plugins::api::v0_1_0::index,
            "atelier:agent/checks@0.1.0": crate::plugins::api::v0_1_0::checks,
            "atelier:agent/log@0.1.0": crate::plugins::api::v0_1_0::log,
        },
    });
}

/// The documenter's exports.
#[expect(missing_docs, reason = "generated; the documentation is in the WIT files")]
pub mod documenter {
    wasmtime::component::bindgen!({
        path: ["../wit/v0.1.0", "../wit/v0.2.0"],
        world: "atelier:agent/documenter@0.2.0",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "atelier:agent/types@0.1.0": crate::plugins::api::v0_1_0::types,
            "atelier:agent/job@0.1.0": crate::plugins::api::v0_1_0::job,
            "atelier:agent/llm@0.1.0": crate::plugins::api::v0_1_0::llm,
            "atelier:agent/credits@0.1.0": crate::plugins::api::v0_1_0::credits,
            "atelier:agent/workspace@0.1.0": crate::plugins::api::v0_1_0::workspace,
            "atelier:agent/index@0.1.0": crate::plugins::api::v0_1_0::index,
            "atelier:agent/log@0.1.0": crate::plugins::api::v0_1_0::log,
        },
    });
}

impl From<implementer::Work> for noun::Work {
    fn from(value: implementer::Work) -> noun::Work {
        noun::Work {
            summary: line(&value.summary, SUMMARY_CHARS_MAX),
            assumptions: lines(value.assumptions, ASSUMPTIONS_MAX, ASSUMPTION_CHARS_MAX),
        }
    }
}
