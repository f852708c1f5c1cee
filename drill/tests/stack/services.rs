//! Checks services: pinned images, confinement, resource limits, restart policies, health checks and dependencies.

use crate::compose::{ComposeFile, Dependency, Service};

pub(crate) fn problems(file: &ComposeFile) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in &file.services {
        let found = image_problem(file, service).into_iter().chain(limit_problems(service));
        let found = found.chain(confinement_problems(name, service));
        let found = found.chain(lifecycle_problems(service)).chain(dependency_problems(file, service));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// An image is pinned by a digest, or by a tag with at least two version numbers.
fn image_problem(file: &ComposeFile, service: &Service) -> Option<String> {
    let image = &service.image;
    let is_ours = file.services.values().any(|other| other.build.is_some() && other.image == *image);
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag);
    let version = tag.trim_start_matches('v');
    let numbers = version.split(|c: char| !c.is_ascii_digit()).take_while(|number| !number.is_empty());
    let is_pinned = image.contains("@sha256:") || numbers.count() >= 2;
    (!is_ours && !is_pinned).then(|| format!("the image {image} is not pinned"))
}

fn limit_problems(service: &Service) -> Vec<String> {
    let rotation = service.logging.as_ref().map(|logging| &logging.options);
    let rotates =
        rotation.is_some_and(|options| ["max-size", "max-file"].iter().all(|one| options.contains_key(*one)));
    let checks = [(service.mem_limit.is_some(), "no memory limit"), (rotates, "no log rotation")];
    failed(&checks)
}

/// Images that start as root, and can run as another user. All others name a user themselves.
const ROOT_IMAGES: [&str; 2] = ["postgres", "redis"];

/// Services that write to their root file system, with the reason in `docker-compose.yml`.
const WRITABLE: [&str; 1] = ["grafana"];

/// A container has no privileges, cannot gain any, and writes to its volumes only.
fn confinement_problems(name: &str, service: &Service) -> Vec<String> {
    let image =
        service.image.rsplit('/').next().and_then(|image| image.split(':').next()).unwrap_or_default();
    let is_root = ROOT_IMAGES.contains(&image) && service.user.is_none();
    failed(&[
        (service.read_only || WRITABLE.contains(&name), "its root file system is writable"),
        (service.cap_drop == ["ALL"], "it keeps capabilities"),
        (service.security_opt.iter().any(|one| one == "no-new-privileges:true"), "it may gain privileges"),
        (service.pids_limit.is_some(), "no limit of processes"),
        (!is_root, "it runs as root"),
        (image != "redis" || service.words().contains(&"--requirepass"), "it has no password"),
    ])
}

/// Services with a profile are started and stopped by people, so they need no restart policy and no health check.
fn lifecycle_problems(service: &Service) -> Vec<String> {
    let is_server = service.is_long_running() && service.profiles.is_empty();
    let has_policy = service.restart.is_some() || !service.profiles.is_empty();
    failed(&[
        (has_policy, "no restart policy"),
        (service.has_health_check() || !is_server, "no health check"),
    ])
}

fn dependency_problems(file: &ComposeFile, service: &Service) -> Vec<String> {
    let problem = |(name, dependency): (&String, &Dependency)| {
        let Some(other) = file.services.get(name) else {
            return Some(format!("depends on {name}, which does not exist"));
        };
        match dependency.condition.as_str() {
            "service_healthy" if !other.has_health_check() => {
                Some(format!("depends on the health of {name}, which has no health check"))
            }
            "service_completed_successfully" if other.is_long_running() => {
                Some(format!("depends on the completion of {name}, which is long-running"))
            }
            _ => None,
        }
    };
    service.depends_on.iter().filter_map(problem).collect()
}

fn failed(checks: &[(bool, &str)]) -> Vec<String> {
    checks.iter().filter(|(is_fine, _)| !is_fine).map(|(_, problem)| (*problem).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::sample::assert_problems;

    #[test]
    fn a_container_that_is_not_confined_is_reported() {
        for (part, replacement, problem) in [
            ("read_only: true", "read_only: false", "its root file system is writable"),
            ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "it keeps capabilities"),
            ("no-new-privileges:true", "seccomp:default", "it may gain privileges"),
            ("pids_limit: 98", "user: nobody", "no limit of processes"),
        ] {
            let all = ["client", "server", "task"].map(|service| format!("{service}: {problem}"));
            assert_problems(part, replacement, &all.join("\n"));
        }
        for image in ["postgres:18.4-bookworm", "redis:8.8-alpine", "docker.io/library/redis:8.8"] {
            let password = if image.starts_with("postgres") { "" } else { "\nclient: it has no password" };
            assert_problems("client@sha256:0123", image, &format!("client: it runs as root{password}"));
        }
        assert_problems("client@sha256:0123", "postgres:18.4\n    user: postgres", "");
    }

    #[test]
    fn problems_of_a_service_are_reported() {
        for (tag, found) in [(":latest", ":latest"), ("", ""), (":v3", ":v3"), (":${TAG:-alpine}", ":alpine")]
        {
            assert_problems(
                ":${TAG:-v1.2}",
                tag,
                &format!("server: the image registry:5000/server{found} is not pinned"),
            );
        }
        assert_problems("mem_limit: 64m", "", "server: no memory limit");
        assert_problems(r#", max-file: "2""#, "", "server: no log rotation");
        assert_problems("restart: unless-stopped", "", "server: no restart policy");
        assert_problems(
            "healthcheck: { test: [CMD, check] }",
            "",
            "client: depends on the health of server, which has no health check\nserver: no health check",
        );
        assert_problems(
            "test: [CMD, check]",
            "test: [CMD, check], disable: true",
            "client: depends on the health of server, which has no health check\nserver: no health check",
        );
        assert_problems(
            "task: { condition",
            "tusk: { condition",
            "client: depends on tusk, which does not exist",
        );
        assert_problems(
            r#"restart: "no" # task"#,
            "restart: always",
            "client: depends on the completion of task, which is long-running\ntask: no health check",
        );
    }
}
