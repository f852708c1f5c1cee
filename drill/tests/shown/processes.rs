//! A person stops, restarts and breaks the processes of a stack.

use std::time::Duration;

use glasshouse_drill::polling::poll_until;

use super::{ShownStack, root, text};

/// All processes, but for Postgres.
const PROCESSES: [&str; 9] = [
    "alertmanager",
    "api",
    "blackbox-exporter",
    "gateway",
    "node-exporter",
    "postgres-exporter",
    "prometheus",
    "redis",
    "worker",
];

impl ShownStack {
    /// The words of the state of a process, such as `running 123`.
    fn state(&self, name: &str) -> Vec<String> {
        self.shell(&format!("drill_state {name}")).split_whitespace().map(str::to_owned).collect()
    }

    pub(super) fn has_state(&self, name: &str) -> bool {
        self.run(&format!("drill_is_known {name}"), root()).status.success()
    }

    /// What a command prints, which fails.
    fn failing(&self, command: &str) -> String {
        let output = self.run(command, root());
        assert!(!output.status.success(), "{command} succeeds");
        text(output)
    }
}

#[tokio::test]
async fn processes_can_be_stopped_and_started() {
    let Some(stack) = ShownStack::start() else { return };
    let listed = stack.shell("processes");
    for name in PROCESSES.into_iter().chain(["alert-receiver", "otel-collector"]) {
        assert!(listed.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {listed}");
    }
    let postgres = stack.has_state("postgres").then_some("postgres");
    for name in PROCESSES.into_iter().chain(postgres) {
        let before = stack.state(name);
        stack.shell(&format!("restart {name}"));
        let after = stack.state(name);
        assert_eq!((&*before[0], &*after[0]), ("running", "running"), "{name}");
        assert_ne!(before[1], after[1], "{name} has another process id");
        stack.shell(&format!("logs {name} 20"));
    }
    assert!(stack.shell("logs redis").contains("Ready to accept connections"));
    stack.shell("pg_isready && request prometheus /-/ready && request alertmanager /-/ready");

    stack.shell("stop worker gateway");
    assert_eq!((&*stack.state("worker")[0], &*stack.state("gateway")[0]), ("stopped", "stopped"));
    stack.failing("management worker /health/ready");
    stack.shell("start worker gateway && management worker /health/ready");

    let part = stack.failing("restart alert-receiver");
    assert!(part.contains("alert-receiver is a part of the program"), "{part}");
    stack.shell("start alert-receiver && request alert-receiver /heartbeat");
    let unknown = stack.failing("start grafana");
    assert!(
        unknown.contains("there is no process grafana, but alert-receiver alertmanager api"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_process_that_exits_is_started_again_until_it_exits_too_often() {
    let Some(stack) = ShownStack::start() else { return };
    let before = stack.state("gateway");
    stack.shell(&format!("kill -KILL {}", before[1]));
    let restarted = poll_until(Duration::from_secs(30), async || {
        let state = stack.state("gateway");
        Ok((state[0] == "running" && state[1] != before[1]).then_some(()))
    });
    restarted.await.unwrap().expect("the gateway is started again");
    let listed = stack.shell("processes gateway");
    assert!(listed.contains("SIGKILL") && listed.contains("restarts: 1"), "{listed}");
    stack.shell("management gateway /health/ready");

    stack.shell("configure api DATABASE_POOL_SIZE=7");
    let limit = stack.shell("management api /metrics | grep '^database_connections_max '");
    assert!(limit.contains(" 7"), "{limit}");

    let problem = stack.failing("configure api DATABASE_POOL_SIZE=many");
    assert!(problem.contains("api does not become ready: see logs api"), "{problem}");
    assert_eq!(stack.state("api")[0], "exited");
    let problem = stack.failing("check_config api");
    assert!(problem.contains("DATABASE_POOL_SIZE: invalid"), "{problem}");
    assert!(stack.shell("logs api").contains("DATABASE_POOL_SIZE: invalid"));
    stack.shell("configure api DATABASE_POOL_SIZE=10 && check_config api && management api /health/ready");
}
