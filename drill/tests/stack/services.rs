//! Every service is bounded, starts again, tells how it is, and waits for others that can be waited for.

use crate::compose::{Dependency, Service, Stack};

pub(crate) fn problems(stack: &Stack) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, service) in &stack.services {
        let found = of_image(stack, service).into_iter().chain(of_limits(service)).chain(of_life(service));
        let found = found.chain(of_dependencies(stack, service));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// The same image tomorrow as today: a digest, or a tag with a version of two numbers at least.
fn of_image(stack: &Stack, service: &Service) -> Option<String> {
    let image = &service.image;
    let is_ours = stack.services.values().any(|other| other.build.is_some() && other.image == *image);
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag);
    let version = tag.trim_start_matches('v');
    let numbers = version.split(|c: char| !c.is_ascii_digit()).take_while(|number| !number.is_empty());
    let is_pinned = image.contains("@sha256:") || numbers.count() >= 2;
    (!is_ours && !is_pinned).then(|| format!("the image {image} is not pinned"))
}

fn of_limits(service: &Service) -> Vec<String> {
    let rotation = service.logging.as_ref().map(|logging| &logging.options);
    let rotates =
        rotation.is_some_and(|options| ["max-size", "max-file"].iter().all(|one| options.contains_key(*one)));
    let checks =
        [(service.mem_limit.is_some(), "no limit of memory"), (rotates, "its log grows without end")];
    named(&checks)
}

/// What has a profile is run by people, for as long as they want.
fn of_life(service: &Service) -> Vec<String> {
    let is_server = service.keeps_running() && service.profiles.is_empty();
    let says_so = service.restart.is_some() || !service.profiles.is_empty();
    named(&[
        (says_so, "does it start again when it ends? `restart` does not say"),
        (service.has_health_check() || !is_server, "no health check"),
    ])
}

fn of_dependencies(stack: &Stack, service: &Service) -> Vec<String> {
    let problem = |(name, dependency): (&String, &Dependency)| {
        let Some(other) = stack.services.get(name) else {
            return Some(format!("it waits for {name}, which is no service"));
        };
        match dependency.condition.as_str() {
            "service_healthy" if !other.has_health_check() => {
                Some(format!("it waits for the health of {name}, which has no health check"))
            }
            "service_completed_successfully" if other.keeps_running() => {
                Some(format!("it waits for the end of {name}, which keeps running"))
            }
            _ => None,
        }
    };
    service.depends_on.iter().filter_map(problem).collect()
}

fn named(checks: &[(bool, &str)]) -> Vec<String> {
    checks.iter().filter(|(is_fine, _)| !is_fine).map(|(_, problem)| (*problem).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::sample::breaks;

    #[test]
    fn what_is_wrong_with_a_service_is_named() {
        for (tag, found) in [(":latest", ":latest"), ("", ""), (":v3", ":v3"), (":${TAG:-alpine}", ":alpine")]
        {
            breaks(
                ":${TAG:-v1.2}",
                tag,
                &format!("server: the image registry:5000/server{found} is not pinned"),
            );
        }
        breaks("mem_limit: 64m", "", "server: no limit of memory");
        breaks(r#", max-file: "2""#, "", "server: its log grows without end");
        breaks(
            "restart: unless-stopped",
            "",
            "server: does it start again when it ends? `restart` does not say",
        );
        breaks(
            "healthcheck: { test: [CMD, check] }",
            "",
            "client: it waits for the health of server, which has no health check\nserver: no health check",
        );
        breaks(
            "test: [CMD, check]",
            "test: [CMD, check], disable: true",
            "client: it waits for the health of server, which has no health check\nserver: no health check",
        );
        breaks("task: { condition", "tusk: { condition", "client: it waits for tusk, which is no service");
        breaks(
            r#"restart: "no" # task"#,
            "restart: always",
            "client: it waits for the end of task, which keeps running\ntask: no health check",
        );
    }
}
