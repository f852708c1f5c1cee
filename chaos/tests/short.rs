//! A short run of the program, on the binary of the service beside it.

use std::path::Path;
use std::process::Command;

#[test]
fn nothing_is_lost_in_a_short_run() {
    let chaos = Path::new(env!("CARGO_BIN_EXE_chaos"));
    let service = chaos.with_file_name("glasshouse");
    assert!(service.exists(), "first build the service: cargo build --workspace --bins");
    let mut command = Command::new(chaos);
    command
        .args([
            "--short",
            "--without-telemetry",
            "--project",
            concat!(env!("CARGO_MANIFEST_DIR"), "/.."),
            "--binary",
        ])
        .arg(service);
    let output = command.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("| **total** |"), "{report}");
}

/// `scripts/chaos-sabotage` puts these defects into the code.
#[test]
fn the_defects_fit_the_code() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let defects: Vec<_> =
        root.join("chaos/sabotage").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!defects.is_empty());
    for defect in defects {
        let check =
            Command::new("git").args(["apply", "--check"]).arg(&defect).current_dir(root).output().unwrap();
        assert!(check.status.success(), "{}: {}", defect.display(), String::from_utf8_lossy(&check.stderr));
    }
}
