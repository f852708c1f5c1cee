//! A process whose clock is wrong. The library that moves it is preloaded, so the service has no setting for it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::Settings;

const SOURCE: &str = include_str!("skewed_clock.c");

static LIBRARY: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-x", "c", "-", "-o"])
        .arg(folder.path().join("skewed_clock.so"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    compiler.stdin.take().unwrap().write_all(SOURCE.as_bytes()).unwrap();
    assert!(compiler.wait().unwrap().success());
    folder
});

/// These settings for a process whose clock is `seconds` ahead of the others, or behind if it is negative. Linux only.
pub(crate) fn with_skewed_clock(settings: &Settings, seconds: i64) -> Settings {
    let library = LIBRARY.path().join("skewed_clock.so").display().to_string();
    let skew = [("LD_PRELOAD", library), ("GLASSHOUSE_TEST_CLOCK_OFFSET", seconds.to_string())];
    settings.clone().into_iter().chain(skew.map(|(name, value)| (name.to_owned(), value))).collect()
}
