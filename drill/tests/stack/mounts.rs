//! What containers are given from the project's folder is there, and where they look for it.

use std::path::Path;

use crate::compose::{Mount, Service, Stack};

/// Of files that no image has.
const OUR_ENDINGS: [&str; 4] = ["js", "json", "yaml", "yml"];

pub(crate) fn problems(stack: &Stack) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in &stack.services {
        let mounts = stack.mounts(service);
        let found = mounts.iter().flat_map(of_mount);
        let found = found.chain(of_files(stack, service));
        let found = found.chain(of_paths(service, &stack.own_mounts(service)));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// For a source that is not there, Docker makes an empty folder.
fn of_mount(mount: &Mount) -> Vec<String> {
    let source = mount.source.display();
    let is_file = Path::new(&mount.target).extension().is_some();
    let mut problems = Vec::new();
    if is_file && !mount.source.is_file() {
        problems.push(format!("there is no file {source}"));
    }
    if !is_file && !mount.source.is_dir() {
        problems.push(format!("there is no folder {source}"));
    }
    if !mount.is_read_only {
        problems.push(format!("it may write to {source}"));
    }
    problems
}

fn of_files(stack: &Stack, service: &Service) -> Vec<String> {
    let read = stack.configurations(service).into_iter();
    read.filter_map(|(path, value)| Some(format!("{}: {}", path.display(), value.err()?))).collect()
}

/// Paths of the container that its command or environment names, and that are not there although they lie in a mount,
/// or are files of a kind that only a mount brings.
fn of_paths(service: &Service, mounts: &[Mount]) -> Vec<String> {
    let words = service.words().into_iter();
    let values = words.map(|word| word.split_once('=').map_or(word, |(_, value)| value));
    let is_missing = |value: &&str| {
        let path = Path::new(value);
        let on_host: Vec<_> = mounts.iter().filter_map(|mount| mount.on_host(path)).collect();
        let is_ours = path.extension().is_some_and(|ending| OUR_ENDINGS.iter().any(|one| ending == *one));
        let must_be_there = path.is_absolute() && (is_ours || !on_host.is_empty());
        must_be_there && !on_host.iter().any(|path| path.exists())
    };
    values.filter(is_missing).map(|value| format!("nobody mounts {value}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::sample::{Sample, breaks};

    #[test]
    fn what_is_wrong_with_the_files_is_named() {
        breaks(":/etc/server.yml:ro", ":/etc/server.yml", "server: it may write to {folder}/./server.yml");
        breaks("/etc/server.yml, --", "/etc/sever.yml, --", "server: nobody mounts /etc/sever.yml");
        breaks("./server.yml:", "./folder:", "server: there is no file {folder}/./folder");
        breaks(
            "./folder:",
            "./server.yml:",
            "client: there is no folder {folder}/./server.yml\nclient: nobody mounts /scripts/a.js",
        );
        let sample = Sample::whole();
        std::fs::remove_file(sample.path("folder/a.js")).unwrap();
        assert_eq!(sample.problems(), ["client: nobody mounts /scripts/a.js"]);
        let sample = Sample::whole();
        std::fs::write(sample.path("server.yml"), "target: tempo:3200").unwrap();
        assert_eq!(sample.problems(), ["server: there is no service tempo (server.yml)"]);
        std::fs::write(sample.path("server.yml"), "{").unwrap();
        let place = format!("server: {}: ", sample.path("./server.yml").display());
        assert!(sample.problems()[0].starts_with(&place), "{:?}", sample.problems());
    }
}
