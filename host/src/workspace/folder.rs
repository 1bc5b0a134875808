//! A project that exists already, out of a folder: what git would leave out is left out, and what an `.atelierignore` names; the rest is as with
//! a zip. Nothing outside the folder is read, and no link is followed.

use super::import::{ENTRIES_MAX, ImportError, Imported, Taking, Why, is_foreign, read};
use ignore::{DirEntry, WalkBuilder};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The project's own file of what is none of Atelier's business; patterns as in `.gitignore`.
pub const IGNORE_FILE: &str = ".atelierignore";

/// Takes the project out of a folder.
pub fn take(folder: &Path) -> Result<Imported, ImportError> {
    let wanted: BTreeSet<PathBuf> = entries(with_rules(folder))?.into_iter().map(DirEntry::into_path).collect();
    let mut taking = Taking::default();
    // All that is there, so that what is left out is named.
    for entry in entries(without_rules(folder))? {
        let kind = entry.file_type();
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = below.to_string_lossy().into_owned();
        if kind.is_some_and(|kind| kind.is_dir()) {
            // What is in it is nobody's business; its name says enough.
            if below.components().next_back().is_some_and(|last| is_foreign(&last.as_os_str().to_string_lossy())) {
                taking.leave(&name, Why::Foreign);
            }
            continue;
        }
        if !wanted.contains(entry.path()) {
            taking.leave(&name, Why::Ignored);
            continue;
        }
        let Some(path) = taking.wants(&name) else { continue };
        match kind {
            Some(kind) if kind.is_symlink() => taking.leave(&name, Why::Link),
            Some(kind) if kind.is_file() && below.to_str().is_some() => {
                let (content, executable) = match content(entry.path()) {
                    Ok(found) => found,
                    // Somebody works in it meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(ImportError::Forbidden(format!("`{name}`: {error}"))),
                };
                taking.take(&name, path, content, executable)?;
            }
            _ => taking.leave(&name, Why::Path),
        }
    }
    taking.end()
}

/// What git would have of a folder, and the project's own ignore file lets through.
pub fn with_rules(folder: &Path) -> WalkBuilder {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let is_repository = whole.ancestors().any(|folder| folder.join(".git").exists());
    let mut walk = without_rules(folder);
    walk.git_ignore(true).git_exclude(true).git_global(true).parents(is_repository).add_custom_ignore_filename(IGNORE_FILE);
    walk
}

/// Everything below a folder but what is in folders that tools make, in order.
pub fn without_rules(folder: &Path) -> WalkBuilder {
    let mut walk = WalkBuilder::new(folder);
    walk.standard_filters(false).hidden(false).follow_links(false).require_git(false).sort_by_file_name(Ord::cmp);
    walk.filter_entry(|entry| {
        let parent = entry.path().parent().and_then(Path::file_name);
        entry.depth() < 2 || parent.is_none_or(|name| !is_foreign(&name.to_string_lossy()))
    });
    walk
}

fn entries(walk: WalkBuilder) -> Result<Vec<DirEntry>, ImportError> {
    let mut entries = Vec::new();
    for entry in walk.build() {
        match entry {
            Ok(entry) if entry.depth() > 0 => entries.push(entry),
            Ok(_) => {}
            Err(error) if error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound) => {}
            Err(error) => return Err(ImportError::Forbidden(error.to_string())),
        }
        if entries.len() as u64 > ENTRIES_MAX {
            return Err(ImportError::TooMuch(format!("more than {ENTRIES_MAX} entries")));
        }
    }
    Ok(entries)
}

/// What a file holds, unless it is too large, and whether it is a program.
fn content(path: &Path) -> std::io::Result<(Option<Vec<u8>>, bool)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    Ok((read(about.len(), file)?, about.permissions().mode() & 0o111 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    fn paths(imported: &Imported) -> Vec<&str> {
        imported.files.keys().map(AsRef::as_ref).collect()
    }

    #[test]
    fn what_ignore_files_tools_and_secrets_are_about_stays_out_and_is_named() {
        let folder = folder(&[
            ("a.py", "1"),
            ("out.log", "x"),
            ("keep.log", "1"),
            (".gitignore", "*.log\n!keep.log\n/sub/generated/\n"),
            ("sub/generated/a.py", "x"),
            ("sub/b.py", "1"),
            ("sub/.gitignore", "c.py\n"),
            ("sub/c.py", "x"),
            (".atelierignore", "private/\n"),
            ("private/d.py", "x"),
            ("node_modules/x/index.js", "x"),
            (".git/config", "x"),
            (".env", "KEY=1"),
        ]);
        let imported = take(folder.path()).expect("a project");
        assert_eq!(paths(&imported), [".atelierignore", ".gitignore", "a.py", "keep.log", "sub/.gitignore", "sub/b.py"]);
        let left: BTreeMap<&str, Why> = imported.left_out.iter().map(|(path, why)| (path.as_str(), *why)).collect();
        let expected = [
            (".env", Why::Secret),
            (".git", Why::Foreign),
            ("node_modules", Why::Foreign),
            ("out.log", Why::Ignored),
            ("private/d.py", Why::Ignored),
            ("sub/c.py", Why::Ignored),
            ("sub/generated/a.py", Why::Ignored),
        ];
        assert_eq!(left, BTreeMap::from(expected));
    }

    #[test]
    fn no_link_is_followed_and_a_loop_ends() {
        let folder = folder(&[("a.py", "1"), ("sub/b.py", "1")]);
        std::os::unix::fs::symlink("/etc", folder.path().join("etc")).expect("a link");
        std::os::unix::fs::symlink("..", folder.path().join("sub/up")).expect("a link");
        let imported = take(folder.path()).expect("a project");
        assert_eq!(paths(&imported), ["a.py", "sub/b.py"]);
        assert_eq!(imported.left_out, BTreeMap::from([("etc".to_owned(), Why::Link), ("sub/up".to_owned(), Why::Link)]));
    }

    #[test]
    fn a_folder_without_a_project_says_so() {
        assert_eq!(take(folder(&[]).path()), Err(ImportError::Empty));
        assert!(matches!(take(Path::new("/does/not/exist")), Err(ImportError::Forbidden(_) | ImportError::Empty)));
        let many: Vec<(String, &str)> = (0..1_501).map(|number| (format!("f{number}"), "1")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert!(matches!(take(folder(&many).path()), Err(ImportError::TooMuch(_))));
    }
}
