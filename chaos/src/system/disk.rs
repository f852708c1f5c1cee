//! A small disk, which can be full or read-only.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

/// A folder of its own file system, in memory. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    /// The file that takes the space. It stays open, so that it can give it back while the file system is read-only. Without
    /// the privilege to mount, the disk is a plain folder, and there is none.
    filler: Option<File>,
}

const PAGE: u64 = 4096;

impl Disk {
    /// Creates the folder, which every user may write to, and mounts a file system of `megabytes` there if this process may.
    pub(super) fn create(path: PathBuf, megabytes: u32) -> Result<Self> {
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        fs::set_permissions(&path, Permissions::from_mode(0o777))?;
        let options = CString::new(format!("size={megabytes}m,mode=0777"))?;
        let mounted = mount("glasshouse-chaos", &path, "tmpfs", MountFlags::empty(), options.as_c_str());
        let open = || OpenOptions::new().create(true).append(true).open(path.join("filler"));
        let filler = mounted.is_ok().then(open).transpose()?;
        Ok(Self { path, filler })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it can be full or read-only. The disk of a plain folder belongs to others too.
    pub(crate) const fn can_be_full(&self) -> bool {
        self.filler.is_some()
    }

    /// Uses up all space.
    ///
    /// # Errors
    /// It cannot be written to, for another reason than that it is full.
    pub(crate) fn fill(&self) -> Result<()> {
        self.fill_but(0)
    }

    /// Uses up all space but this number of pages of 4 KiB.
    ///
    /// # Errors
    /// It cannot be written to, for another reason than that it is full.
    pub(crate) fn fill_but(&self, pages: u64) -> Result<()> {
        let mut filler = self.filler()?;
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
        let length = filler.metadata()?.len();
        filler.set_len(length.saturating_sub(pages * PAGE)).context("the disk cannot be freed")
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// It cannot be written to.
    pub(crate) fn free(&self) -> Result<()> {
        self.filler()?.set_len(0).context("the disk cannot be freed")
    }

    /// Makes it read-only for files that are opened from now on.
    ///
    /// # Errors
    /// It cannot be mounted again.
    pub(crate) fn make_read_only(&self) -> Result<()> {
        // A mount in use cannot become read-only, so it is mounted elsewhere first. A mount of a read-only one is read-only.
        let view = self.path.with_extension("view");
        fs::create_dir_all(&view)?;
        mount_bind(&self.path, &view).context("the disk cannot be mounted again")?;
        let is_read_only = mount_remount(&view, MountFlags::BIND | MountFlags::RDONLY, "")
            .and_then(|()| mount_bind(&view, &self.path));
        unmount(&view, UnmountFlags::DETACH)?;
        is_read_only.context("the disk cannot become read-only")
    }

    /// Makes it writable again for files that are opened from now on.
    ///
    /// # Errors
    /// It is not read-only.
    pub(crate) fn make_writable(&self) -> Result<()> {
        unmount(&self.path, UnmountFlags::DETACH).context("the disk cannot become writable")
    }

    fn filler(&self) -> Result<&File> {
        self.filler.as_ref().context("this user may not mount a file system")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.can_be_full() {
            // A process may still have a file open: the file system ends with the last one.
            let _ = unmount(&self.path, UnmountFlags::DETACH);
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
        disk.fill_but(2).unwrap();
        write().unwrap();
        disk.free().unwrap();
        write().unwrap();
        disk.make_read_only().unwrap();
        assert_eq!(write().unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
        disk.make_writable().unwrap();
        write().unwrap();
        drop(disk);
        assert_eq!(fs::read_dir(folder.path().join("disk")).unwrap().count(), 0);
    }
}
