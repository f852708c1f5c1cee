//! A small valid stack, in which tests replace one part by a defect.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::compose::ComposeFile;
use crate::problems;

#[test]
fn the_sample_has_no_problems() {
    assert_eq!(SampleStack::valid().problems(), [""; 0]);
}

/// Replaces a part of the sample, and compares the problems with `expected`: one line each.
#[track_caller]
pub(crate) fn assert_problems(part: &str, replacement: &str, expected: &str) {
    let sample = SampleStack::with(part, replacement);
    let expected = expected.replace("{folder}", &sample.0.path().display().to_string());
    assert_eq!(sample.problems().join("\n"), expected, "with “{replacement}”");
}

/// The files of a stack in a temporary folder.
pub(crate) struct SampleStack(TempDir);

impl SampleStack {
    const COMPOSE: &str = r#"
x-confined: &confined
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 98
x-common: &common
  <<: *confined
  logging: { driver: json-file, options: { max-size: 1m, max-file: "3" } }
  networks: [private]

services:
  server:
    <<: *confined
    logging: { driver: json-file, options: { max-size: 1m, max-file: "2" } }
    image: registry:5000/server:${TAG:-v1.2}
    command: [--config=/etc/server.yml, --data=/data]
    volumes: [./server.yml:/etc/server.yml:ro, "data:/data"]
    ports: ["127.0.0.1:${PORT:-80}:80"]
    networks: [private, published]
    mem_limit: 64m
    restart: unless-stopped
    healthcheck: { test: [CMD, check] }
  task:
    <<: *confined
    logging: { driver: json-file, options: { max-size: 1m, max-file: "4" } }
    image: ours:local
    build: .
    networks: [private] # task
    mem_limit: 63m
    restart: "no" # task
  client:
    <<: *common
    image: client@sha256:0123
    profiles: [more]
    command: [run, /scripts/a.js, --machine=/host/nowhere]
    environment: { SERVER: "http://server:80/x", PUBLIC: "https://example.com", ITSELF: "localhost:81" }
    volumes: [./folder:/scripts:ro, "/:/host:ro"]
    mem_limit: 63m
    depends_on:
      server: { condition: service_healthy }
      task: { condition: service_completed_successfully }

networks:
  private: { internal: true }
  published: {}

volumes:
  data: {}
"#;

    pub(crate) fn valid() -> Self {
        Self::of(Self::COMPOSE)
    }

    /// The sample with the first occurrence of `part` replaced.
    #[track_caller]
    pub(crate) fn with(part: &str, replacement: &str) -> Self {
        assert!(Self::COMPOSE.contains(part), "the sample has no “{part}”");
        Self::of(&Self::COMPOSE.replacen(part, replacement, 1))
    }

    fn of(compose: &str) -> Self {
        let sample = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(sample.path("folder")).unwrap();
        for (file, text) in [("docker-compose.yml", compose), ("server.yml", "port: 80"), ("folder/a.js", "")]
        {
            std::fs::write(sample.path(file), text).unwrap();
        }
        sample
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        problems(&ComposeFile::read(self.0.path()))
    }
}
