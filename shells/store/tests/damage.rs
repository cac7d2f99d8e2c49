//! Owns what the file store survives and what it refuses: torn writes at every byte, flipped bits, lost files.

mod driver;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use swan_core::id::DottedId;
use swan_core::journal::{JournalConfig, StoreOp};
use swan_core::record::Seq;
use swan_core::scheduler::input::{Breadcrumb, CrashNote};
use swan_store::{CrashNotes, FileStore};

use driver::{Scratch, Writer, state, tiny};

/// A journal of `batches` acknowledged batches; returns what the next append would write.
fn written(path: &Path, batches: u64, config: JournalConfig) -> Vec<u8> {
    let mut writer = Writer::open(path, config).expect("a new journal opens");
    for _ in 0..batches {
        writer.write_next().expect("a batch is written");
    }
    assert_eq!(writer.stored, Seq(batches));
    writer.held = Some(Vec::new());
    writer.write_next().expect("a batch is held");
    let held = writer.held.expect("as set above");
    let Some((_, StoreOp::Append { entry, .. })) = held.first() else { panic!("an append was expected") };
    entry.as_slice().to_vec()
}

fn files(path: &Path, prefix: &str) -> Vec<PathBuf> {
    let all =
        std::fs::read_dir(path).expect("the directory lists").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = all
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    found.sort();
    found
}

/// Recovers a copy; the error is the text for people.
fn recovered(path: &Path, copy: &Path) -> Result<Writer, String> {
    let _ = std::fs::remove_dir_all(copy);
    std::fs::create_dir(copy).expect("a directory");
    for file in files(path, "") {
        std::fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("a copy");
    }
    Writer::open(copy, tiny())
}

#[test]
fn a_write_torn_at_any_byte_is_cut_and_nothing_before_it_is_lost() {
    let scratch = Scratch::new("torn");
    let (path, copy) = (scratch.path().join("journal"), scratch.path().join("copy"));
    let next = written(&path, 20, JournalConfig::default());
    let log = files(&path, "log-").pop().expect("a log");
    let sound = std::fs::read(&log).expect("the log reads");
    let mut tails: Vec<Vec<u8>> = (0..next.len()).map(|end| next[..end].to_vec()).collect();
    tails.extend((0..next.len()).step_by(5).map(|at| {
        let mut garbled = next.clone();
        garbled[at] ^= 0xff;
        garbled
    }));
    tails.push(vec![0; 4096]);
    tails.push([vec![0; next.len()], next.clone()].concat());
    for tail in tails {
        std::fs::write(&log, [&sound[..], &tail].concat()).expect("the log writes");
        let mut writer = recovered(&path, &copy).expect("a torn write is no corruption");
        assert_eq!((writer.stored, &writer.records), (Seq(20), &state(Seq(20))));
        writer.write_next().expect("it goes on");
        drop(writer);
        assert_eq!(Writer::open(&copy, tiny()).expect("it opens again").stored, Seq(21));
    }
    std::fs::write(&log, [&sound[..], &next].concat()).expect("the log writes");
    let writer = recovered(&path, &copy).expect("a whole write that was not acknowledged is kept");
    assert_eq!((writer.stored, writer.records), (Seq(21), state(Seq(21))));
}

#[test]
fn a_log_that_lost_acknowledged_bytes_is_refused() {
    let scratch = Scratch::new("lost");
    let (path, copy) = (scratch.path().join("journal"), scratch.path().join("copy"));
    written(&path, 5, JournalConfig::default());
    let log = files(&path, "log-").pop().expect("a log");
    let sound = std::fs::read(&log).expect("the log reads");
    for end in 0..sound.len() {
        std::fs::write(&log, &sound[..end]).expect("the log writes");
        let text = recovered(&path, &copy).map(|_| ()).expect_err("acknowledged bytes are missing");
        assert!(text.contains("log entry") && text.contains("restore"), "{text}");
    }
}

#[test]
fn lost_files_are_refused() {
    let scratch = Scratch::new("files");
    let (path, copy) = (scratch.path().join("journal"), scratch.path().join("copy"));
    written(&path, 200, tiny());
    for file in files(&path, "") {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).expect("the file reads");
        std::fs::remove_file(&file).expect("the file goes");
        match recovered(&path, &copy) {
            Err(text) => assert!(text.contains("damaged"), "{name}: {text}"),
            // Nothing of this log was trimmed yet, so that it tells all without a manifest.
            Ok(writer) => {
                assert!(["lock", "manifest"].contains(&&*name), "{name}");
                assert_eq!(writer.records, state(Seq(200)));
            }
        }
        std::fs::write(&file, bytes).expect("the file comes back");
    }
}

/// A flipped bit anywhere in the directory: refused, or without any effect.
#[test]
fn a_flipped_bit_is_never_accepted() {
    let scratch = Scratch::new("flip");
    let (path, copy) = (scratch.path().join("journal"), scratch.path().join("copy"));
    written(&path, 150, tiny());
    let all: Vec<PathBuf> = files(&path, "").into_iter().filter(|file| !file.ends_with("lock")).collect();
    let place = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let result = runner.run(&place, |(which, at, bit)| {
        let file = which.get(&all);
        let sound = std::fs::read(file).expect("the file reads");
        let mut bytes = sound.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        std::fs::write(file, bytes).expect("the file writes");
        let found = recovered(&path, &copy);
        std::fs::write(file, sound).expect("the file writes");
        match found {
            Err(text) => prop_assert!(text.contains("damaged"), "{}: {text}", file.display()),
            Ok(writer) => {
                // A slot of the mark, or an entry that a snapshot made superfluous.
                let name = file.file_name().expect("a name").to_string_lossy();
                prop_assert!(name == "mark" || name.starts_with("log-"), "{name} byte {at}");
                prop_assert_eq!((writer.stored, writer.records), (Seq(150), state(Seq(150))));
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_second_on_a_directory_is_told_who_has_it() {
    let scratch = Scratch::new("held");
    let path = scratch.path().join("journal");
    let first = FileStore::open(&path).expect("the first opens");
    let text = FileStore::open(&path).map(|_| ()).expect_err("the second is refused").to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    drop(first);
    FileStore::open(&path).expect("it opens when the first is gone");
}

#[test]
fn a_directory_that_cannot_be_is_named() {
    let scratch = Scratch::new("nodir");
    let file = scratch.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let text = FileStore::open(&file).map(|_| ()).expect_err("a file is no directory").to_string();
    assert!(text.contains("/file"), "{text}");
}

#[test]
fn the_newest_crash_notes_are_kept() {
    let scratch = Scratch::new("notes");
    let notes = CrashNotes::open(scratch.path()).expect("the directory opens");
    assert_eq!(notes.read().expect("none yet"), []);
    let note = |n: usize| CrashNote {
        assertion: format!("file.rs:{n}"),
        breadcrumb: Breadcrumb { input: "Wake".into(), entity: (n > 3).then(|| DottedId::from_text("web")) },
    };
    for n in 0..40 {
        notes.write(&note(n)).expect("a note is written");
    }
    std::fs::write(scratch.path().join("crash-0000000000000026"), "junk").expect("a bad note");
    let expected: Vec<CrashNote> = (24..40).filter(|n| *n != 38).map(note).collect();
    assert_eq!(notes.read().expect("notes read"), expected);
    assert_eq!(files(scratch.path(), "crash-").len(), swan_core::limits::CRASH_NOTES_MAX);
}
