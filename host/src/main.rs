//! The command line of Atelier.
fn main() {}
