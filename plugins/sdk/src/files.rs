//! The project's files, all of them: the host lists them page by page.

use crate::types::Refusal;
use crate::workspace::{self, Entry};

/// Every file, in path order.
pub fn list() -> Result<Vec<Entry>, Refusal> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let page = workspace::list_files(after.as_deref())?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}
