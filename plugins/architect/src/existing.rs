//! A project that exists already and was handed over: what of it the model is shown. Nothing at all for one that begins from nothing.

use atelier_sdk::types::Plan;
use std::collections::BTreeSet;

use crate::earlier::test_files;

/// The host writes this one where nobody else did.
const README: &str = "README.md";
/// Files that are listed; a larger project is shown by its definitions.
const LISTED_MAX: usize = 300;
/// What the project says of itself.
const README_CHARS_MAX: usize = 6_000;
/// The map of definitions.
pub const MAP_TOKENS: u32 = 3_000;

/// What there is before the first task.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// Every file's path.
    pub paths: BTreeSet<String>,
    /// The project's own README, or empty.
    pub readme: String,
    /// What its files define, or empty.
    pub map: String,
}

impl Existing {
    /// Those of these paths that were handed over; the others are the host's own work from brief and plan. `None` where there are none.
    pub fn of(paths: impl IntoIterator<Item = String>, plan: Option<&Plan>) -> Option<Existing> {
        let tests: BTreeSet<&str> =
            plan.iter().flat_map(|plan| &plan.tasks).flat_map(test_files).map(|(_, file)| file.path.as_str()).collect();
        let paths: BTreeSet<String> = paths.into_iter().filter(|path| !tests.contains(path.as_str())).collect();
        paths.iter().any(|path| path != README).then(|| Existing { paths, ..Existing::default() })
    }

    /// The README's path, if there is one.
    pub fn readme_path(&self) -> Option<&str> {
        self.paths.iter().find(|path| path.eq_ignore_ascii_case(README)).map(String::as_str)
    }

    /// As the model is told.
    pub fn told(&self) -> String {
        let mut text = format!("The project exists already; the client handed over its {} files:\n\n", self.paths.len());
        text.extend(self.paths.iter().take(LISTED_MAX).map(|path| format!("{path}\n")));
        if self.paths.len() > LISTED_MAX {
            text.push_str(&format!("(and {} more)\n", self.paths.len() - LISTED_MAX));
        }
        if !self.readme.trim().is_empty() {
            let shown: String = self.readme.trim().chars().take(README_CHARS_MAX).collect();
            text.push_str(&format!("\nIts README:\n\n````\n{shown}\n````\n"));
        }
        if !self.map.trim().is_empty() {
            text.push_str(&format!("\nWhat its files define:\n\n{}\n", self.map.trim()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_project_that_begins_from_nothing_has_nothing() {
        assert!(Existing::of(paths(&[]), None).is_none());
        assert!(Existing::of(paths(&["README.md"]), None).is_none(), "the host's own");
    }

    #[test]
    fn what_was_handed_over_is_listed_up_to_a_bound() {
        let many: Vec<String> = (0..400).map(|number| format!("src/f{number:03}.py")).collect();
        let existing = Existing { readme: "# It\n".into(), map: "a.py: f".into(), ..Existing::of(many, None).expect("it exists") };
        let told = existing.told();
        assert!(told.contains("its 400 files") && told.contains("src/f299.py\n") && !told.contains("src/f300.py"));
        assert!(told.contains("(and 100 more)") && told.contains("# It\n````") && told.contains("a.py: f"));
    }
}
