//! Falls over.

/// Panics, which is a trap in wasm.
pub fn trap() -> String {
    panic!("on purpose");
}
