//! Eats the memory.

/// Takes a mebibyte at a time until there is none.
pub fn allocate() -> String {
    let mut taken = Vec::new();
    loop {
        taken.push(std::hint::black_box(vec![1_u8; 1024 * 1024]));
    }
}
