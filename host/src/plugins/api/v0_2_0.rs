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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_assumed_is_made_safe_to_show_and_has_an_end() {
        let work = implementer::Work { summary: "done\u{1b}[2J\nreally".into(), assumptions: vec!["x\u{202e}".repeat(1_000); 50] };
        let work = noun::Work::from(work);
        assert_eq!(work.summary, "done[2J really");
        assert_eq!((work.assumptions.len(), work.assumptions[0].len()), (ASSUMPTIONS_MAX, ASSUMPTION_CHARS_MAX));
        assert_eq!(work.assumptions[0].trim_matches('x'), "");
    }

    #[test]
    fn work_without_assumptions_is_written_down_as_before_there_were_any() {
        let json = |work: &noun::Work| serde_json::to_string(work).expect("json");
        assert_eq!(json(&noun::Work::from_summary("done".into())), "\"done\"");
        let work = noun::Work { summary: "done".into(), assumptions: vec!["sorted".into()] };
        assert_eq!(json(&work), r#"{"summary":"done","assumptions":["sorted"]}"#);
    }
}
