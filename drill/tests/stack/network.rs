//! Who can reach whom: nobody from outside this machine, and everybody whom a setting names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::compose::{Service, Stack, texts};

/// Where servers listen that nobody tells.
const DEFAULT_PORTS: [(&str, &str); 2] = [("postgres", "5432"), ("redis", "6379")];

pub(crate) fn problems(stack: &Stack) -> Vec<String> {
    let mut problems = of_declarations(stack);
    let mut published = BTreeSet::new();
    for (name, service) in &stack.services {
        let found = of_ports(stack, service, &mut published).into_iter().chain(of_addresses(stack, service));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// `published` is what other services publish.
fn of_ports<'a>(stack: &Stack, service: &'a Service, published: &mut BTreeSet<&'a str>) -> Vec<String> {
    let mut problems = Vec::new();
    for port in &service.ports {
        let host = port.rsplit_once(':').map_or("", |(host, _)| host);
        if !host.starts_with("127.0.0.1:") {
            problems.push(format!("{port} is open to others than this machine"));
        }
        if !published.insert(host) {
            problems.push(format!("another publishes {host}"));
        }
    }
    if !service.ports.is_empty() && !leads_outside(stack, service) {
        problems.push("nobody reaches its ports from an internal network".to_owned());
    }
    problems
}

/// Of others, as its command, its environment and its files have them.
fn of_addresses(stack: &Stack, service: &Service) -> Vec<String> {
    let wrong_in = |texts: Vec<&str>, place: &Path| {
        let addresses = texts.into_iter().flat_map(addresses);
        let wrong = addresses.filter_map(|(host, port)| wrong_address(stack, host, port));
        wrong.map(|problem| format!("{problem} ({})", place.display())).collect::<Vec<_>>()
    };
    let mut problems = wrong_in(service.words(), Path::new("docker-compose.yml"));
    for (path, value) in stack.configurations(service) {
        let path = path.strip_prefix(&stack.folder).unwrap_or(&path);
        problems.extend(value.iter().flat_map(|value| wrong_in(texts(value), path)));
    }
    problems
}

/// Networks and volumes are declared, and those that are declared are used.
fn of_declarations(stack: &Stack) -> Vec<String> {
    let networks = stack.services.values().flat_map(|service| service.networks.iter().map(String::as_str));
    let volumes = stack.services.values().flat_map(|service| &service.volumes);
    let volumes =
        volumes.filter_map(|volume| volume.split(':').next()).filter(|name| !name.starts_with(['.', '/']));
    let mut problems = Vec::new();
    let pairs: [(&str, BTreeSet<&str>, BTreeSet<&str>); 2] = [
        ("network", networks.collect(), stack.networks.keys().map(String::as_str).collect()),
        ("volume", volumes.collect(), stack.volumes.keys().map(String::as_str).collect()),
    ];
    for (kind, used, declared) in pairs {
        problems.extend(used.difference(&declared).map(|name| format!("nobody declares the {kind} {name}")));
        problems.extend(declared.difference(&used).map(|name| format!("nobody uses the {kind} {name}")));
    }
    let alone = stack.services.iter().filter(|(_, service)| service.networks.is_empty());
    problems.extend(alone.map(|(name, _)| format!("{name}: it is in no network of ours")));
    problems
}

fn leads_outside(stack: &Stack, service: &Service) -> bool {
    let network = |name: &String| {
        stack.networks.get(name).is_some_and(|one| !one.as_ref().is_some_and(|one| one.internal))
    };
    service.networks.iter().any(network)
}

/// The hosts of a text that is an address, such as `tempo:4317`, or has URLs in it; each with its port.
fn addresses(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let in_urls = text.split("://").skip(1).map(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"',;)".contains(c)).unwrap_or(rest.len());
        let authority = &rest[..end];
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
    });
    let alone = text.split('/').next().and_then(|start| start.split_once(':'));
    let alone = alone.filter(|(_, port)| port.len() >= 2 && port.chars().all(|c| c.is_ascii_digit()));
    in_urls.chain(alone.map(|(host, port)| (host, Some(port))))
}

/// A name without dots can only be a service's: this machine and the internet need none to be checked.
fn wrong_address(stack: &Stack, host: &str, port: Option<&str>) -> Option<String> {
    let is_name = host.starts_with(|c: char| c.is_ascii_lowercase())
        && host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_name || host == "localhost" {
        return None;
    }
    let Some(service) = stack.services.get(host) else {
        return Some(format!("there is no service {host}"));
    };
    let port = port?;
    let is_default = DEFAULT_PORTS.contains(&(host, port));
    (!is_default && !mentions(stack, service, port))
        .then(|| format!("nothing says that {host} listens on {port}"))
}

/// Whether a port stands anywhere in what the service is told, or publishes.
fn mentions(stack: &Stack, service: &Service, port: &str) -> bool {
    let is_it = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == port);
    let files =
        stack.configurations(service).into_iter().filter_map(|(path, _)| std::fs::read_to_string(path).ok());
    service.words().into_iter().chain(service.ports.iter().map(String::as_str)).any(is_it)
        || files.into_iter().any(|text| is_it(&text))
}

#[cfg(test)]
mod tests {
    use super::addresses;
    use crate::sample::breaks;

    #[test]
    fn addresses_are_found_with_and_without_a_scheme() {
        let found = |text| addresses(text).collect::<Vec<_>>();
        assert_eq!(found("postgres://me:secret@db:5432/glasshouse"), [("db", Some("5432"))]);
        assert_eq!(found("--config=http://127.0.0.1:13133/"), [("127.0.0.1", Some("13133"))]);
        assert_eq!(found("http://loki/otlp"), [("loki", None)]);
        assert_eq!(found("db:5432/glasshouse?sslmode=disable"), [("db", Some("5432"))]);
        assert_eq!(found("run: it at 12:30"), []);
    }

    #[test]
    fn what_is_wrong_with_the_network_is_named() {
        breaks("127.0.0.1:${PORT:-80}:80", "8080:80", "server: 8080:80 is open to others than this machine");
        breaks(
            "[\"127.0.0.1:",
            "[\"127.0.0.1:80:81\", \"127.0.0.1:",
            "server: another publishes 127.0.0.1:80",
        );
        breaks(
            "published: {}",
            "published: { internal: true }",
            "server: nobody reaches its ports from an internal network",
        );
        breaks("published: {}", "published: {}\n  more: {}", "nobody uses the network more");
        breaks(
            "published: {}",
            "",
            "nobody declares the network published\nserver: nobody reaches its ports from an internal network",
        );
        breaks("data: {}", "date: {}", "nobody declares the volume data\nnobody uses the volume date");
        breaks("networks: [private] # task", "", "task: it is in no network of ours");
        breaks(
            "http://server:80/x",
            "http://sever:80/x",
            "client: there is no service sever (docker-compose.yml)",
        );
        breaks(
            "http://server:80/x",
            "http://server:81/x",
            "client: nothing says that server listens on 81 (docker-compose.yml)",
        );
    }
}
