//! Bytes that the process reads from and writes to disks, and bytes on the network of its container, from `/proc`.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntCounter};

use super::Registrar;

/// Names and descriptions. Those of the network are the names of Prometheus' client for Go.
const METRICS: [(&str, &str); 4] = [
    ("process_disk_read_bytes_total", "Bytes that the process caused to be read from disks."),
    ("process_disk_written_bytes_total", "Bytes that the process caused to be written to disks."),
    (
        "process_network_receive_bytes_total",
        "Bytes received over the network by all processes of its network namespace, which is that of its container.",
    ),
    (
        "process_network_transmit_bytes_total",
        "Bytes sent over the network by all processes of its network namespace, which is that of its container.",
    ),
];

/// Registers the metrics. One that the system does not provide is not exported.
pub(super) fn register(registrar: &mut Registrar) -> Result<(), Error> {
    let counters = METRICS.map(|(name, help)| IntCounter::new(name, help));
    let counters = counters.into_iter().collect::<Result<Vec<_>, _>>()?;
    counters.iter().for_each(|counter| registrar.describe(counter));
    registrar.export(ProcessIo(counters))
}

/// The metrics, which are read with each scrape.
struct ProcessIo(Vec<IntCounter>);

impl Collector for ProcessIo {
    fn desc(&self) -> Vec<&Desc> {
        self.0.iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let (io, net) = (read("/proc/self/io"), read("/proc/self/net/netstat"));
        let values = [
            value_in_lines(&io, "read_bytes"),
            value_in_lines(&io, "write_bytes"),
            value_in_table(&net, "InOctets"),
            value_in_table(&net, "OutOctets"),
        ];
        let family = |((name, help), value): ((&str, &str), Option<u64>)| {
            let counter = IntCounter::new(name, help).ok()?;
            counter.inc_by(value?);
            Some(counter.collect())
        };
        METRICS.into_iter().zip(values).filter_map(family).flatten().collect()
    }
}

/// A value of lines such as `read_bytes: 4096`.
fn value_in_lines(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value?.trim().parse().ok()
}

/// A value of a table whose lines are names and, below them, numbers.
fn value_in_table(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        if let Some(at) = names.split_whitespace().position(|found| found == name) {
            return values.split_whitespace().nth(at)?.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        let io = "rchar: 1\nread_bytes: 4096\nwrite_bytes: 12\ncancelled_write_bytes: 7\n";
        assert_eq!(
            ["read_bytes", "write_bytes"].map(|name| value_in_lines(io, name)),
            [Some(4096), Some(12)]
        );
        let net = "TcpExt: A InOctets2\nTcpExt: 1 2\nIpExt: B InOctets OutOctets\nIpExt: 3 4 5\n";
        assert_eq!(["InOctets", "OutOctets"].map(|name| value_in_table(net, name)), [Some(4), Some(5)]);
        assert_eq!(value_in_lines("", "read_bytes"), None);
        assert_eq!(value_in_table("IpExt: InOctets\nIpExt:", "InOctets"), None);
    }
}
