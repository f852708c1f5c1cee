//! Keeps the files of a SQLite database private, whatever the umask: they contain password hashes.

use std::fs::{DirBuilder, OpenOptions, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const OWNER_ONLY_FILE: u32 = 0o600;
const OWNER_ONLY_FOLDER: u32 = 0o700;

/// The files that SQLite keeps beside the database. It creates them with the permissions of the database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Creates a folder for a database that its owner alone may use, if it does not exist.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY_FOLDER).create(folder)
}

/// Creates the file of a database if it does not exist, and makes the files readable and writable for their owner alone. The
/// folder stays as it is, for it may contain files of others, unless it contains this database and nothing else.
///
/// # Errors
/// When the file cannot be created, or belongs to another user and is open to more than its owner.
pub fn protect(database: &Path) -> io::Result<()> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && contains_only(folder, database)?
    {
        restrict(folder, OWNER_ONLY_FOLDER)?;
    }
    let create = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY_FILE).open(database);
    create.map(drop).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })?;
    restrict(database, OWNER_ONLY_FILE)?;
    for companion in companions(database) {
        match restrict(Path::new(&companion), OWNER_ONLY_FILE) {
            // A process that closes the database removes them.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn companions(database: &Path) -> impl Iterator<Item = std::ffi::OsString> {
    COMPANIONS.iter().map(|ending| {
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        path
    })
}

fn contains_only(folder: &Path, database: &Path) -> io::Result<bool> {
    let expected: Vec<_> = companions(database).chain([database.as_os_str().to_owned()]).collect();
    for entry in std::fs::read_dir(folder)? {
        if !expected.contains(&entry?.path().into_os_string()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sets the permissions, unless they are right: only the owner may.
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    if std::fs::metadata(path)?.permissions().mode() & 0o7777 == mode {
        return Ok(());
    }
    set_permissions(path, Permissions::from_mode(mode))
}
