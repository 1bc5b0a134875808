//! Fills the operator's log and the user's screen.

use atelier_sdk::log;

/// Twenty megabytes of words.
pub fn flood() -> String {
    let line = "all work and no play ".repeat(5_000);
    for _ in 0..100 {
        log::write(log::Level::Info, &line);
        log::progress(&line, 50);
    }
    "flooded".to_owned()
}
