//! The example project `drill/examples/greeter`, which is not Glasshouse, in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A copy of the example, which a test may break.
pub(crate) struct Greeter(TempDir);

impl Greeter {
    pub(crate) fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/greeter"), copy.0.path());
        copy
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Replaces text in a file.
    #[track_caller]
    pub(crate) fn replace(&self, file: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(old), "{file} has no {old}");
        std::fs::write(self.path(file), text.replace(old, new)).unwrap();
    }

    /// `drill`, in the folder of the project.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drill"));
        command.args(arguments).current_dir(self.0.path());
        // Those of Glasshouse's drills are not those of this project.
        ["SPEED", "DRILL_ON", "DRILL_IMAGE", "TEST_DATABASE_URL"].iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    /// Runs `drill`, and returns its exit code, with its standard output and standard error.
    pub(crate) fn drill(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        (status.code(), [stdout, stderr].map(|text| String::from_utf8(text).unwrap()).concat())
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
