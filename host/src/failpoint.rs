//! Places where a test makes the process end as if it had been killed, to see what is left behind. `ATELIER_FAILPOINT=NAME` or
//! `NAME:N` ends it when the place is reached for the N-th time. Built into debug builds alone; in a release there is nothing here.

/// Passes by, or ends the process at once.
#[cfg(not(debug_assertions))]
pub(crate) fn reach(_name: &'static str) {}

/// Passes by, or ends the process at once.
#[cfg(debug_assertions)]
pub(crate) fn reach(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static REACHED: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("ATELIER_FAILPOINT").ok()?;
        match text.rsplit_once(':') {
            Some((name, number)) => Some((name.to_owned(), number.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    if let Some((place, number)) = wanted
        && place == name
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        std::process::abort();
    }
}
