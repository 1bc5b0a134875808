//! What one run sees and writes: the accepted files with this run's changes over them. Nothing here is stored until the run
//! ends well; a run that fails leaves no trace.

use super::edits::{self, Edit};
use super::path::{FilePattern, ProjectPath};
use super::{File, Files, tree_sha256};
use crate::project::Refusal;
use std::collections::{BTreeMap, BTreeSet};

/// One file. Source files are far smaller; a larger one is data that should be generated.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// All files of a project together.
pub const PROJECT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Files of a project.
pub const PROJECT_FILES_MAX: usize = 2_000;
/// Edits of one call; each reads its file once.
pub const EDITS_MAX: usize = 100;
/// Entries of one page of the listing.
pub const PAGE_ENTRIES_MAX: usize = 200;

/// The files of one run.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    files: Files,
    writable: Vec<FilePattern>,
    protected: BTreeSet<ProjectPath>,
}

/// One file of a listing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Where.
    pub path: String,
    /// How large.
    pub bytes: u64,
    /// Whether it can be read as text.
    pub text: bool,
    /// Whether it is marked executable.
    pub executable: bool,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Page {
    /// The files, in path order.
    pub entries: Vec<Entry>,
    /// Where to go on.
    pub next: Option<String>,
}

/// An edit of a named file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileEdit {
    /// The file.
    pub path: String,
    /// What to find.
    pub search: String,
    /// What to put there.
    pub replace: String,
}

/// An edit that was not applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EditFailure {
    /// Its place in the list.
    pub edit: u32,
    /// Why.
    pub reason: String,
    /// What looks most like it.
    pub nearest: String,
}

/// Edited files that are not written yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Their new texts.
    pub texts: BTreeMap<ProjectPath, String>,
    /// Edits without a place.
    pub failures: Vec<EditFailure>,
}

impl Overlay {
    /// The files as accepted, with what this run may write and what it may never.
    pub fn new(files: Files, writable: Vec<FilePattern>, protected: BTreeSet<ProjectPath>) -> Overlay {
        Overlay { files, writable, protected }
    }

    /// The files as they are now.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The digest of the files as they are now.
    pub fn sha256(&self) -> String {
        tree_sha256(&self.files)
    }

    /// A page of the listing.
    pub fn list(&self, after: Option<&str>) -> Page {
        let mut rest = self.files.iter().filter(|(path, _)| after.is_none_or(|after| path.as_ref() > after));
        let entries: Vec<Entry> = rest
            .by_ref()
            .take(PAGE_ENTRIES_MAX)
            .map(|(path, file)| Entry {
                path: path.to_string(),
                bytes: file.bytes.len() as u64,
                text: std::str::from_utf8(&file.bytes).is_ok(),
                executable: file.executable,
            })
            .collect();
        let next = rest.next().and(entries.last().map(|entry| entry.path.clone()));
        Page { entries, next }
    }

    /// A whole text file.
    pub fn read(&self, path: &str) -> Result<String, Refusal> {
        let path = parse(path)?;
        let file = self.files.get(&path).ok_or_else(|| Refusal::NotFound(format!("file `{path}`")))?;
        match std::str::from_utf8(&file.bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Refusal::Invalid(format!("`{path}` is not text"))),
        }
    }

    /// Some lines of a text file.
    pub fn read_lines(&self, path: &str, first: u32, count: u32) -> Result<String, Refusal> {
        if first == 0 {
            return Err(Refusal::Invalid("lines are counted from 1".to_owned()));
        }
        let text = self.read(path)?;
        Ok(text.split_inclusive('\n').skip(first as usize - 1).take(count as usize).collect())
    }

    /// Writes a whole file.
    pub fn write(&mut self, path: &str, text: &str) -> Result<(), Refusal> {
        let path = self.may_write(path)?;
        self.put(path, text.as_bytes().to_vec())
    }

    /// What the files would be with every edit that finds its place, and why the others do not. Nothing is changed yet.
    pub fn preview(&self, edits: &[FileEdit]) -> Result<Preview, Refusal> {
        if edits.len() > EDITS_MAX {
            return Err(Refusal::Invalid(format!("at most {EDITS_MAX} edits in one call")));
        }
        let mut preview = Preview::default();
        for (position, edit) in edits.iter().enumerate() {
            let path = self.may_write(&edit.path)?;
            let text = match preview.texts.get(&path) {
                Some(text) => text.clone(),
                None if self.files.contains_key(&path) => self.read(&edit.path)?,
                None => String::new(),
            };
            let wanted = Edit { search: edit.search.clone(), replace: edit.replace.clone() };
            match edits::apply(&text, &wanted) {
                Ok(text) => {
                    preview.texts.insert(path, text);
                }
                Err(failure) => preview.failures.push(EditFailure {
                    edit: u32::try_from(position).unwrap_or(u32::MAX),
                    reason: failure.reason.to_string(),
                    nearest: failure.nearest,
                }),
            }
        }
        Ok(preview)
    }

    /// Takes over the files of a preview.
    pub fn commit(&mut self, texts: BTreeMap<ProjectPath, String>) -> Result<(), Refusal> {
        for (path, text) in texts {
            self.put(path, text.into_bytes())?;
        }
        Ok(())
    }

    /// Removes a file.
    pub fn remove(&mut self, path: &str) -> Result<(), Refusal> {
        let path = self.may_write(path)?;
        self.files.remove(&path).map(|_| ()).ok_or_else(|| Refusal::NotFound(format!("file `{path}`")))
    }

    /// Gives a file another path.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Refusal> {
        let (old, new) = (self.may_write(old)?, self.may_write(new)?);
        if self.files.contains_key(&new) {
            return Err(Refusal::Invalid(format!("`{new}` exists already; remove it first")));
        }
        let file = self.files.remove(&old).ok_or_else(|| Refusal::NotFound(format!("file `{old}`")))?;
        self.fits(&new, &file.bytes).inspect_err(|_| {
            self.files.insert(old, file.clone());
        })?;
        self.files.insert(new, file);
        Ok(())
    }

    /// The path, if this run may write there.
    pub fn may_write(&self, path: &str) -> Result<ProjectPath, Refusal> {
        let path = parse(path)?;
        if self.protected.contains(&path) {
            return Err(Refusal::Denied(format!("`{path}` belongs to a check, which the implementer can't change")));
        }
        if !self.writable.iter().any(|pattern| pattern.allows(&path)) {
            return Err(Refusal::Denied(format!("`{path}` is not among the files of this task")));
        }
        Ok(path)
    }

    fn put(&mut self, path: ProjectPath, bytes: Vec<u8>) -> Result<(), Refusal> {
        self.fits(&path, &bytes)?;
        let executable = self.files.get(&path).is_some_and(|file| file.executable) || bytes.starts_with(b"#!");
        self.files.insert(path, File { bytes: bytes.into(), executable });
        Ok(())
    }

    fn fits(&self, path: &ProjectPath, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Refusal::TooLarge(FILE_BYTES_MAX as u64));
        }
        if !self.files.contains_key(path) {
            if path.shadows_python_standard_library() {
                return Err(Refusal::Invalid(format!("`{path}` would hide a module of Python's standard library; choose another name")));
            }
            if self.files.len() >= PROJECT_FILES_MAX {
                return Err(Refusal::Invalid(format!("a project has at most {PROJECT_FILES_MAX} files")));
            }
            if let Some(twin) = path.case_fold_twin(self.files.keys()) {
                return Err(Refusal::Invalid(format!("`{path}` can't stand beside `{twin}` on every system; choose another name")));
            }
        }
        let others: usize = self.files.iter().filter(|(known, _)| *known != path).map(|(_, file)| file.bytes.len()).sum();
        if others + bytes.len() > PROJECT_BYTES_MAX {
            return Err(Refusal::TooLarge(PROJECT_BYTES_MAX as u64));
        }
        Ok(())
    }
}

fn parse(path: &str) -> Result<ProjectPath, Refusal> {
    ProjectPath::parse(path).map_err(|error| Refusal::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay() -> Overlay {
        let path = |text: &str| ProjectPath::parse(text).expect("a path");
        let file = |text: &str| File { bytes: text.as_bytes().to_vec().into(), executable: false };
        let files = Files::from([(path("src/a.py"), file("one\ntwo\n")), (path("tests/test_a.py"), file("check\n"))]);
        let writable = vec![FilePattern::parse("src/**").expect("a pattern"), FilePattern::parse("tests/**").expect("a pattern")];
        Overlay::new(files, writable, BTreeSet::from([path("tests/test_a.py")]))
    }

    #[test]
    fn only_the_files_of_the_task_can_be_written() {
        let mut overlay = overlay();
        assert_eq!(overlay.write("src/b.py", "x\n"), Ok(()));
        assert!(matches!(overlay.write("README.md", "x"), Err(Refusal::Denied(_))));
        assert!(matches!(overlay.write("../b.py", "x"), Err(Refusal::Invalid(_))));
        assert!(matches!(overlay.rename("src/a.py", "b.py"), Err(Refusal::Denied(_))));
    }

    #[test]
    fn a_checks_own_file_can_be_read_and_never_changed() {
        let mut overlay = overlay();
        assert_eq!(overlay.read("tests/test_a.py").as_deref(), Ok("check\n"));
        let edit = FileEdit { path: "tests/test_a.py".into(), search: "check".into(), replace: "pass".into() };
        assert!(matches!(overlay.preview(&[edit]), Err(Refusal::Denied(_))));
        assert!(matches!(overlay.remove("tests/test_a.py"), Err(Refusal::Denied(_))));
        assert!(matches!(overlay.rename("tests/test_a.py", "src/t.py"), Err(Refusal::Denied(_))));
    }

    #[test]
    fn good_edits_stay_when_a_bad_one_fails() {
        let mut overlay = overlay();
        let edit = |search: &str, replace: &str| FileEdit { path: "src/a.py".into(), search: search.into(), replace: replace.into() };
        let preview = overlay.preview(&[edit("one\n", "1\n"), edit("absent\n", "x\n"), edit("two\n", "2\n")]).expect("an outcome");
        overlay.commit(preview.texts).expect("written");
        assert_eq!(preview.failures.iter().map(|failure| failure.edit).collect::<Vec<_>>(), [1]);
        assert_eq!(overlay.read("src/a.py").as_deref(), Ok("1\n2\n"));
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(overlay().read_lines("src/a.py", 2, 5).as_deref(), Ok("two\n"));
        assert!(overlay().read_lines("src/a.py", 0, 1).is_err());
    }

    #[test]
    fn a_file_can_be_moved_within_the_task_and_not_over_another() {
        let mut overlay = overlay();
        assert_eq!(overlay.rename("src/a.py", "src/b.py"), Ok(()));
        assert!(overlay.read("src/a.py").is_err());
        assert_eq!(overlay.write("src/a.py", "new\n"), Ok(()));
        assert!(overlay.rename("src/a.py", "src/b.py").is_err());
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let text = "x".repeat(FILE_BYTES_MAX + 1);
        assert_eq!(overlay().write("src/a.py", &text), Err(Refusal::TooLarge(FILE_BYTES_MAX as u64)));
    }

    #[test]
    fn two_names_that_differ_by_case_alone_are_refused() {
        assert!(matches!(overlay().write("src/A.py", "x"), Err(Refusal::Invalid(_))));
    }
}
