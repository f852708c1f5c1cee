//! A small file system of the drill's own, which is filled. It is in memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

const SIZE_KIB: usize = 4096;
/// More than 90 %, and less than all of it.
const FILLED_KIB: usize = 3900;

/// Mounts the file system while it is full. Dropping it removes it.
pub(super) struct Disk {
    folder: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// A file system that will be mounted on this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, is_mounted: false }
    }

    /// Mounts and fills it.
    ///
    /// # Errors
    /// Without the right to mount file systems, which root has.
    pub(super) fn fill(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let size = format!("size={SIZE_KIB}k");
        self.run("mount", &["-t", "tmpfs", "-o", &size, "drill"])
            .context("a file system of the drill's own needs root")?;
        self.is_mounted = true;
        std::fs::write(self.folder.join("data"), vec![0; FILLED_KIB * 1024])
            .context("filling the file system")
    }

    /// Removes it.
    pub(super) fn free(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_mounted, false) {
            self.run("umount", &[])?;
        }
        Ok(())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = Command::new(program)
            .args(arguments)
            .arg(&self.folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| program.to_owned())?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // There is no caller to report a failure to.
        let _ = self.free();
    }
}
