//! Writes the zip that a user receives. The same files give the same bytes.

use super::file::File;
use crate::workspace::path::ProjectPath;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes every file below `folder/`, and the reports beside it, where no file of the project can be in their way. Under a
/// temporary name first, so that a half-written zip is never seen.
pub fn write_zip(path: &Path, folder: &str, files: &BTreeMap<ProjectPath, File>, reports: &[(&str, String)]) -> std::io::Result<()> {
    let beside = path.with_extension("zip.new");
    pack(std::fs::File::create(&beside)?, folder, files, reports)?.sync_all()?;
    std::fs::rename(beside, path)
}

/// The same, in memory.
pub fn zip_bytes(folder: &str, files: &BTreeMap<ProjectPath, File>, reports: &[(&str, String)]) -> std::io::Result<Vec<u8>> {
    Ok(pack(std::io::Cursor::new(Vec::new()), folder, files, reports)?.into_inner())
}

fn pack<W: Write + std::io::Seek>(
    to: W,
    folder: &str,
    files: &BTreeMap<ProjectPath, File>,
    reports: &[(&str, String)],
) -> std::io::Result<W> {
    let mut zip = ZipWriter::new(to);
    for (name, text) in reports {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(DateTime::default());
        zip.start_file(*name, options)?;
        zip.write_all(text.as_bytes())?;
    }
    for (name, file) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if file.executable { 0o755 } else { 0o644 });
        zip.start_file(format!("{folder}/{name}"), options)?;
        zip.write_all(&file.bytes)?;
    }
    Ok(zip.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_was_written_is_read_back_and_twice_is_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |text: &str| ProjectPath::parse(text).expect("a path");
        let files = BTreeMap::from([
            (path("run.sh"), File { bytes: b"#!/bin/sh\n".to_vec().into(), executable: true }),
            (path("src/a.py"), File { bytes: b"print()\n".to_vec().into(), executable: false }),
        ]);
        let (one, two) = (directory.path().join("one.zip"), directory.path().join("two.zip"));
        write_zip(&one, "project", &files, &[("REPORT.md", "r".to_owned())]).expect("written");
        write_zip(&two, "project", &files, &[("REPORT.md", "r".to_owned())]).expect("written");
        assert_eq!(std::fs::read(&one).expect("bytes"), std::fs::read(&two).expect("bytes"));
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&one).expect("opened")).expect("a zip");
        let mut text = String::new();
        archive.by_name("project/src/a.py").expect("the file").read_to_string(&mut text).expect("text");
        assert_eq!(text, "print()\n");
        assert_eq!(archive.by_name("project/run.sh").expect("the file").unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }
}
