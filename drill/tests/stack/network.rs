//! Checks the network: ports are published on the loopback interface only, addresses in settings resolve, and ports that
//! control a service are reachable from internal networks only.

use std::collections::BTreeSet;
use std::path::Path;

use crate::compose::{ComposeFile, Service, texts};

/// The ports of servers that listen on their default port.
const DEFAULT_PORTS: [(&str, &str); 2] = [("postgres", "5432"), ("redis", "6379")];

/// The addresses on which a service can be controlled: faults, profiles, the behavior of the gateway simulator.
const CONTROLS: [&str; 2] = ["GLASSHOUSE_MANAGEMENT_ADDR", "GLASSHOUSE_GATEWAY_ADDR"];

pub(crate) fn problems(file: &ComposeFile) -> Vec<String> {
    let mut problems = declaration_problems(file);
    let mut published = BTreeSet::new();
    for (name, service) in &file.services {
        let ports = port_problems(file, service, &mut published);
        let found = ports.into_iter().chain(address_problems(file, service));
        let found = found.chain(control_problems(file, service));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    problems
}

/// `published` has the addresses that other services publish.
fn port_problems<'a>(
    file: &ComposeFile,
    service: &'a Service,
    published: &mut BTreeSet<&'a str>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for port in &service.ports {
        let host = port.rsplit_once(':').map_or("", |(host, _)| host);
        if !host.starts_with("127.0.0.1:") {
            problems.push(format!("{port} is not published on the loopback interface"));
        }
        if !published.insert(host) {
            problems.push(format!("another service publishes {host}"));
        }
    }
    if !service.ports.is_empty() && !service.networks.keys().any(|network| file.is_external(network)) {
        problems.push("its ports are unreachable in an internal network".to_owned());
    }
    problems
}

/// Addresses in the command, the environment and the mounted files of a service that do not resolve.
fn address_problems(file: &ComposeFile, service: &Service) -> Vec<String> {
    let wrong_in = |texts: Vec<&str>, place: &Path| {
        let addresses = texts.into_iter().flat_map(addresses);
        let problems = addresses.filter_map(|(host, port)| address_problem(file, host, port));
        problems.map(|problem| format!("{problem} ({})", place.display())).collect::<Vec<_>>()
    };
    let mut problems = wrong_in(service.words(), Path::new("docker-compose.yml"));
    for (path, value) in file.configurations(service) {
        let path = path.strip_prefix(&file.folder).unwrap_or(&path);
        problems.extend(value.iter().flat_map(|value| wrong_in(texts(value), path)));
    }
    problems
}

/// Undeclared and unused networks and volumes, and services without a network.
fn declaration_problems(file: &ComposeFile) -> Vec<String> {
    let networks = file.services.values().flat_map(|service| service.networks.keys().map(String::as_str));
    let volumes = file.services.values().flat_map(|service| &service.volumes);
    let volumes =
        volumes.filter_map(|volume| volume.split(':').next()).filter(|name| !name.starts_with(['.', '/']));
    let mut problems = Vec::new();
    let pairs: [(&str, BTreeSet<&str>, BTreeSet<&str>); 2] = [
        ("network", networks.collect(), file.networks.keys().map(String::as_str).collect()),
        ("volume", volumes.collect(), file.volumes.keys().map(String::as_str).collect()),
    ];
    for (kind, used, declared) in pairs {
        problems.extend(used.difference(&declared).map(|name| format!("undeclared {kind} {name}")));
        problems.extend(declared.difference(&used).map(|name| format!("unused {kind} {name}")));
    }
    let isolated = file.services.iter().filter(|(_, service)| service.networks.is_empty());
    problems.extend(isolated.map(|(name, _)| format!("{name}: no network")));
    problems
}

/// Listeners of [`CONTROLS`] that can be reached from a network with a way out. They listen in an internal network if the
/// service has no other, on the loopback interface, or on an alias of the service in internal networks alone.
fn control_problems(file: &ComposeFile, service: &Service) -> Vec<String> {
    let is_internal_alias = |host: &str| {
        let named = service.networks.iter().filter(|(_, aliases)| aliases.iter().any(|alias| alias == host));
        let named: Vec<_> = named.map(|(network, _)| network).collect();
        !named.is_empty() && !named.iter().any(|network| file.is_external(network))
    };
    let is_internal = !service.networks.keys().any(|network| file.is_external(network));
    let listeners = service.environment.iter().filter(|(name, _)| CONTROLS.contains(&name.as_str()));
    let exposed = listeners.filter_map(|(name, address)| {
        let host = address.as_str()?.rsplit_once(':')?.0;
        let is_confined = is_internal || host == "127.0.0.1" || is_internal_alias(host);
        (!is_confined).then(|| format!("{name} listens on {host}, also outside of internal networks"))
    });
    exposed.collect()
}

/// The hosts and ports in a text that contains URLs or is an address such as `tempo:4317`.
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

/// A host name without dots must be a service. Other hosts are not checked.
fn address_problem(file: &ComposeFile, host: &str, port: Option<&str>) -> Option<String> {
    let is_name = host.starts_with(|c: char| c.is_ascii_lowercase())
        && host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_name || host == "localhost" {
        return None;
    }
    let is_alias = |service: &&Service| service.networks.values().flatten().any(|alias| alias == host);
    let Some(service) = file.services.get(host).or_else(|| file.services.values().find(is_alias)) else {
        return Some(format!("no service {host}"));
    };
    let port = port?;
    let is_default = DEFAULT_PORTS.contains(&(host, port));
    (!is_default && !mentions(file, service, port))
        .then(|| format!("{host} is not configured to listen on {port}"))
}

/// Whether a port occurs in the settings, the mounted files or the published ports of a service.
fn mentions(file: &ComposeFile, service: &Service, port: &str) -> bool {
    let has_port = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == port);
    let files =
        file.configurations(service).into_iter().filter_map(|(path, _)| std::fs::read_to_string(path).ok());
    service.words().into_iter().chain(service.ports.iter().map(String::as_str)).any(has_port)
        || files.into_iter().any(|text| has_port(&text))
}

#[cfg(test)]
mod tests {
    use super::addresses;
    use crate::sample::{SampleStack, assert_problems};

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
    fn a_port_that_controls_a_service_is_in_internal_networks_only() {
        let outside =
            "client: GLASSHOUSE_MANAGEMENT_ADDR listens on 0.0.0.0, also outside of internal networks";
        let listening =
            |address: &str| format!("environment: {{ GLASSHOUSE_MANAGEMENT_ADDR: \"{address}\", ");
        let sample = |address: &str, networks: &str| {
            let client = format!("networks: {networks}\n    {}", listening(address));
            SampleStack::with("environment: { ", &client).problems().join("\n")
        };
        let aliased = |network: &str| format!("{{ {network}: {{ aliases: [control] }}, published: {{}} }}");
        assert_eq!(sample("0.0.0.0:9000", "[private]"), "");
        assert_eq!(sample("127.0.0.1:9000", "[private, published]"), "");
        assert_eq!(sample("control:9000", &aliased("private")), "");
        assert_eq!(sample("0.0.0.0:9000", "[private, published]"), outside);
        assert_eq!(sample("0.0.0.0:9000", &aliased("private")), outside);
        for networks in ["{ private: {}, published: { aliases: [control] } }", "[private, published]"] {
            let found = sample("control:9000", networks);
            assert!(found.contains("listens on control, also outside"), "{found}");
        }
        let gateway = outside.replace("MANAGEMENT", "GATEWAY");
        let sample = SampleStack::with(
            "environment: { ",
            "networks: [published]\n    environment: { GLASSHOUSE_GATEWAY_ADDR: \"0.0.0.0:8090\", ",
        );
        assert_eq!(sample.problems(), [gateway]);
    }

    #[test]
    fn problems_of_the_network_are_reported() {
        assert_problems(
            "127.0.0.1:${PORT:-80}:80",
            "8080:80",
            "server: 8080:80 is not published on the loopback interface",
        );
        assert_problems(
            "[\"127.0.0.1:",
            "[\"127.0.0.1:80:81\", \"127.0.0.1:",
            "server: another service publishes 127.0.0.1:80",
        );
        assert_problems(
            "published: {}",
            "published: { internal: true }",
            "server: its ports are unreachable in an internal network",
        );
        assert_problems("published: {}", "published: {}\n  more: {}", "unused network more");
        assert_problems(
            "published: {}",
            "",
            "undeclared network published\nserver: its ports are unreachable in an internal network",
        );
        assert_problems("data: {}", "date: {}", "undeclared volume data\nunused volume date");
        assert_problems("networks: [private] # task", "", "task: no network");
        assert_problems(
            "http://server:80/x",
            "http://sever:80/x",
            "client: no service sever (docker-compose.yml)",
        );
        assert_problems(
            "http://server:80/x",
            "http://server:81/x",
            "client: server is not configured to listen on 81 (docker-compose.yml)",
        );
    }
}
