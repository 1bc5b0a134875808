//! The versions of the contract, one file each. A version holds what it changed and uses the rest of the ones before; this is the only
//! place that knows them all.

pub mod convert;
pub mod v0_1_0;
pub mod v0_2_0;
pub mod words;

use super::imports::Context;
use crate::project::{Failure, Work};
use wasmtime::Store;
use wasmtime::component::InstancePre;

/// The package that agents import.
pub const PACKAGE: &str = "atelier:agent";
/// The version whose interfaces are imported, whatever version a world is of.
pub const INTERFACES: &str = "0.1.0";

/// A world in one of its versions.
pub struct Contract {
    /// Its name.
    pub world: &'static str,
    /// The version of the contract that it is of.
    pub version: &'static str,
    /// What it exports: names, and what each returns as [`inspect`](super::inspect) writes it.
    pub exports: &'static [(&'static str, &'static str)],
}

/// The worlds that this host runs, of each the oldest version first.
pub const WORLDS: &[Contract] = &[
    Contract {
        world: "architect",
        version: "0.1.0",
        exports: &[
            ("elicit", "result<record { title, summary, language, requirements }, variant>"),
            ("make-plan", "result<record { tasks, run-command, design }, variant>"),
            ("verify", "result<variant { accepted, rejected }, variant>"),
        ],
    },
    Contract { world: "implementer", version: "0.1.0", exports: &[("implement", "result<string, variant>")] },
    Contract { world: "implementer", version: "0.2.0", exports: &[("implement", "result<record { summary, assumptions }, variant>")] },
    Contract { world: "documenter", version: "0.2.0", exports: &[("document", "result<string, variant>")] },
    Contract { world: "indexer", version: "0.1.0", exports: &[("index-file", "record { chunks, definitions, references, parse-errors }")] },
    Contract {
        world: "runner",
        version: "0.1.0",
        exports: &[
            ("parse", "list<record { path, line, message }>"),
            ("list-tests", "result<list<string>, string>"),
            ("run-tests", "record { tests, stdout, stderr, problem }"),
            ("run-command", "record { exit-code, stdout, stderr, written, removed }"),
        ],
    },
];

/// The versions of a world that this host runs, oldest first; none for a world that there is not.
pub fn versions_of(world: &str) -> Vec<&'static str> {
    WORLDS.iter().filter(|contract| contract.world == world).map(|contract| contract.version).collect()
}

/// The names of all worlds, each once.
pub fn worlds() -> Vec<&'static str> {
    let mut worlds: Vec<&str> = WORLDS.iter().map(|contract| contract.world).collect();
    worlds.dedup();
    worlds
}

/// An implementer of any version, with its instance template.
pub enum Implementer {
    /// Says what it did.
    V0_1_0(v0_1_0::implementer::ImplementerPre<Context>),
    /// Says what it assumed as well.
    V0_2_0(v0_2_0::implementer::ImplementerPre<Context>),
}

impl Implementer {
    /// The template of a component that was made for this version.
    pub(super) fn new(version: &str, instance: InstancePre<Context>) -> wasmtime::Result<Implementer> {
        match version {
            "0.1.0" => Ok(Implementer::V0_1_0(v0_1_0::implementer::ImplementerPre::new(instance)?)),
            _ => Ok(Implementer::V0_2_0(v0_2_0::implementer::ImplementerPre::new(instance)?)),
        }
    }

    /// Calls `implement` in a fresh instance.
    pub(super) async fn implement(&self, store: &mut Store<Context>) -> wasmtime::Result<Result<Work, Failure>> {
        match self {
            Implementer::V0_1_0(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                Ok(instance.call_implement(store).await?.map(Work::from_summary).map_err(Into::into))
            }
            Implementer::V0_2_0(pre) => {
                let instance = pre.instantiate_async(&mut *store).await?;
                Ok(instance.call_implement(store).await?.map(Into::into).map_err(Into::into))
            }
        }
    }
}
