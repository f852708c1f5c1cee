//! Checks bind mounts: their sources exist, and paths in commands and environments are mounted.

use std::path::Path;

use crate::compose::{ComposeFile, Mount, Service};

/// The extensions of files that only mounts provide.
const MOUNTED_EXTENSIONS: [&str; 4] = ["js", "json", "yaml", "yml"];

pub(crate) fn problems(file: &ComposeFile) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in &file.services {
        let mounts = file.mounts(service);
        let found = mounts.iter().flat_map(|mount| mount_problems(file, mount));
        let found = found.chain(file_problems(file, service));
        let found = found.chain(path_problems(service, &file.project_mounts(service)));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// Docker creates an empty folder for a missing source. Those outside the project are the host's, which need not be this machine.
fn mount_problems(file: &ComposeFile, mount: &Mount) -> Vec<String> {
    let source = mount.source.display();
    let (is_ours, is_file) =
        (mount.source.starts_with(&file.folder), Path::new(&mount.target).extension().is_some());
    let mut problems = Vec::new();
    if is_ours && is_file && !mount.source.is_file() {
        problems.push(format!("no file {source}"));
    }
    if is_ours && !is_file && !mount.source.is_dir() {
        problems.push(format!("no folder {source}"));
    }
    if !mount.is_read_only {
        problems.push(format!("{source} is mounted writable"));
    }
    problems
}

fn file_problems(file: &ComposeFile, service: &Service) -> Vec<String> {
    let read = file.configurations(service).into_iter();
    read.filter_map(|(path, value)| Some(format!("{}: {}", path.display(), value.err()?))).collect()
}

/// Missing paths in the command or environment of a container: those inside a mount, and files with an extension that
/// only mounts provide.
fn path_problems(service: &Service, mounts: &[Mount]) -> Vec<String> {
    let words = service.words().into_iter();
    let values = words.map(|word| word.split_once('=').map_or(word, |(_, value)| value));
    let is_missing = |value: &&str| {
        let path = Path::new(value);
        let on_host: Vec<_> = mounts.iter().filter_map(|mount| mount.on_host(path)).collect();
        let needs_mount =
            path.extension().is_some_and(|ending| MOUNTED_EXTENSIONS.iter().any(|one| ending == *one));
        let must_exist = path.is_absolute() && (needs_mount || !on_host.is_empty());
        must_exist && !on_host.iter().any(|path| path.exists())
    };
    values.filter(is_missing).map(|value| format!("{value} is not mounted")).collect()
}

#[cfg(test)]
mod tests {
    use crate::sample::{SampleStack, assert_problems};

    #[test]
    fn problems_of_mounts_are_reported() {
        assert_problems(
            ":/etc/server.yml:ro",
            ":/etc/server.yml",
            "server: {folder}/./server.yml is mounted writable",
        );
        assert_problems("/etc/server.yml, --", "/etc/sever.yml, --", "server: /etc/sever.yml is not mounted");
        assert_problems("./server.yml:", "./folder:", "server: no file {folder}/./folder");
        assert_problems(
            "./folder:",
            "./server.yml:",
            "client: no folder {folder}/./server.yml\nclient: /scripts/a.js is not mounted",
        );
        let sample = SampleStack::valid();
        std::fs::remove_file(sample.path("folder/a.js")).unwrap();
        assert_eq!(sample.problems(), ["client: /scripts/a.js is not mounted"]);
        let sample = SampleStack::valid();
        std::fs::write(sample.path("server.yml"), "target: tempo:3200").unwrap();
        assert_eq!(sample.problems(), ["server: no service tempo (server.yml)"]);
        std::fs::write(sample.path("server.yml"), "{").unwrap();
        let place = format!("server: {}: ", sample.path("./server.yml").display());
        assert!(sample.problems()[0].starts_with(&place), "{:?}", sample.problems());
    }
}
