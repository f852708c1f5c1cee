//! A small disk, which can be full.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A folder of its own file system, in memory. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    /// Without the privilege to mount, it is a plain folder.
    is_mounted: bool,
}

impl Disk {
    /// Creates the folder, which every user may write to, and mounts a file system of `megabytes` there if this process may.
    pub(super) fn create(path: PathBuf, megabytes: u32) -> Result<Self> {
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        let options = format!("size={megabytes}m,mode=0777");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "glasshouse-chaos"]).arg(&path);
        let status = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(Self { path, is_mounted: status.is_ok_and(|status| status.success()) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be full. The disk of a plain folder belongs to others too.
    pub(super) const fn can_be_full(&self) -> bool {
        self.is_mounted
    }

    /// Uses up all space.
    ///
    /// # Errors
    /// It cannot be written to, for another reason than that it is full.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler())?;
        for size in [1 << 16, 1 << 12] {
            let page = vec![0; size];
            loop {
                match filler.write_all(&page) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("the disk cannot be filled"),
                }
            }
        }
        Ok(())
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// It cannot be written to.
    pub(crate) fn free(&self) -> Result<()> {
        File::create(self.filler()).map(drop).context("the disk cannot be freed")
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // A process may still have a file open: the file system ends with the last one.
            let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_takes_nothing_until_it_is_freed() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::create(folder.path().join("disk"), 1).unwrap();
        if !disk.can_be_full() {
            return;
        }
        let write = || fs::write(disk.path().join("file"), [1; 8192]);
        disk.fill().unwrap();
        assert_eq!(write().unwrap_err().kind(), ErrorKind::StorageFull);
        disk.free().unwrap();
        write().unwrap();
        drop(disk);
        assert_eq!(fs::read_dir(folder.path().join("disk")).unwrap().count(), 0);
    }
}
