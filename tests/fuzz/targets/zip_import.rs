//! A zip that somebody hands over: its files stay inside the project, within their bounds, or it is refused in words.

#![no_main]

use atelier_host::workspace::import::unpack;
use atelier_host::workspace::path::ProjectPath;
use libfuzzer_sys::fuzz_target;

/// As the host promises, with room.
const BYTES_MAX: usize = 64 * 1024 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Ok(imported) = unpack(bytes) else { return };
    let total: usize = imported.files.values().map(|file| file.bytes.len()).sum();
    assert!(total <= BYTES_MAX, "{total} bytes");
    for path in imported.files.keys() {
        assert!(ProjectPath::parse(path.as_ref()).is_ok(), "{path}");
        let others = imported.files.keys().filter(|other| *other != path);
        assert!(path.case_fold_twin(others).is_none(), "{path} is there twice");
    }
});
