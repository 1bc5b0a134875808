//! The versions of the contract. One file each; this is the only place that knows them all.

pub mod convert;
pub mod v0_1_0;
pub mod words;

/// The package that agents import.
pub const PACKAGE: &str = "atelier:agent";
/// The versions that this host can run.
pub const VERSIONS: &[&str] = &["0.1.0"];
