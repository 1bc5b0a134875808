//! Calls the host without an end.

use atelier_sdk::credits;
use atelier_sdk::types::Refusal;

/// Goes on calling after it was told to stop.
pub fn storm() -> String {
    let mut refused = 0_u64;
    loop {
        if credits::left() == Err(Refusal::CallLimit) {
            refused = std::hint::black_box(refused + 1);
        }
    }
}
