//! Eats the stack.

/// Calls itself without an end.
pub fn recurse() -> String {
    deeper(std::hint::black_box(1)).to_string()
}

/// The rotation keeps the compiler from making a loop of it.
#[expect(unconditional_recursion, reason = "the point of it")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    deeper(depth.wrapping_mul(3)).rotate_left(7) ^ depth
}
