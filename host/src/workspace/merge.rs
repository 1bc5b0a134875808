//! Bringing together what two tasks did to the same files. A file that only one of them changed is taken from that one; a file that both
//! changed, differently, is a conflict. Lines are not merged: two halves of a file that never met may fit together and still be wrong.

use super::Files;
use super::path::ProjectPath;
use std::collections::BTreeSet;

/// The changes from `base` to `theirs`, made to `ours`; or the paths that both changed.
pub fn merge(base: &Files, ours: &Files, theirs: &Files) -> Result<Files, Vec<ProjectPath>> {
    let mut merged = ours.clone();
    let (mut conflicts, mut added) = (Vec::new(), Vec::new());
    let paths: BTreeSet<&ProjectPath> = base.keys().chain(theirs.keys()).collect();
    for path in paths {
        let [was, mine, other] = [base, ours, theirs].map(|files| files.get(path));
        if other == was || other == mine {
            continue;
        }
        match other {
            _ if mine != was => conflicts.push(path.clone()),
            Some(file) => {
                merged.insert(path.clone(), file.clone());
                added.push(path);
            }
            None => drop(merged.remove(path)),
        }
    }
    // Two new paths that differ in case alone can't both be written out.
    conflicts.extend(added.into_iter().filter(|path| path.case_fold_twin(merged.keys()).is_some()).cloned());
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::File;

    fn files(entries: &[(&str, &str)]) -> Files {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec().into(), executable: false };
        entries.iter().map(|(path, text)| (ProjectPath::parse(path).expect("a path"), file(text))).collect()
    }

    #[test]
    fn what_one_side_changed_is_taken_from_that_side() {
        let base = files(&[("a", "1"), ("b", "1"), ("gone", "1"), ("kept", "1")]);
        let ours = files(&[("a", "2"), ("b", "1"), ("gone", "1"), ("kept", "1"), ("ours", "1")]);
        let theirs = files(&[("a", "1"), ("b", "2"), ("kept", "1"), ("theirs", "1")]);
        let merged = merge(&base, &ours, &theirs).expect("no conflict");
        assert_eq!(merged, files(&[("a", "2"), ("b", "2"), ("kept", "1"), ("ours", "1"), ("theirs", "1")]));
    }

    #[test]
    fn what_both_changed_alike_is_no_conflict() {
        let (base, both) = (files(&[("a", "1"), ("b", "1")]), files(&[("a", "2")]));
        assert_eq!(merge(&base, &both, &both).expect("no conflict"), both);
    }

    #[test]
    fn what_was_renamed_meanwhile_is_no_conflict_for_who_did_not_touch_it() {
        let base = files(&[("New.py", "1")]);
        let merged = merge(&base, &files(&[("new.py", "1")]), &files(&[("New.py", "1"), ("theirs", "1")])).expect("no conflict");
        assert_eq!(merged, files(&[("new.py", "1"), ("theirs", "1")]));
    }

    #[test]
    fn what_both_changed_differently_is_named() {
        let base = files(&[("a", "1"), ("b", "1")]);
        for (ours, theirs) in [
            (files(&[("a", "2"), ("b", "1")]), files(&[("a", "3"), ("b", "1")])),
            (files(&[("b", "1")]), files(&[("a", "3"), ("b", "1")])),
            (files(&[("a", "2"), ("b", "1")]), files(&[("b", "1")])),
        ] {
            let conflicts = merge(&base, &ours, &theirs).expect_err("a conflict");
            assert_eq!(conflicts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a"]);
        }
        let [ours, theirs] = [files(&[("New.py", "1")]), files(&[("new.py", "2")])];
        assert_eq!(merge(&Files::new(), &ours, &theirs).expect_err("twins").len(), 1);
    }
}
