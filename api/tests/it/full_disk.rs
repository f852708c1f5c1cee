//! SQLite on a full disk: no acknowledged order is lost, none is placed twice, and orders succeed again once there is space,
//! without a restart.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::command_line::{common, with};
use crate::support::{Client, PASSWORD, Process, concurrently, eventually, key, new_slug, settings};

const STOCK: i64 = 100_000;

/// Where the demo keeps its data, and where space can be taken away and given back.
pub(crate) enum Disk {
    /// A small file system in a mount namespace, which a process keeps alive.
    Small { folder: TempDir, namespace: Process },
    /// A folder. A limit of the process decides how large its files may become.
    Limited { folder: TempDir },
}

impl Disk {
    /// `None` where a user may not mount a file system in a namespace of their own.
    pub(crate) async fn small() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs -o size=12m glasshouse \"$0\" && echo mounted && exec sleep 600";
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", mount]).arg(folder.path());
        let mut namespace =
            Process::spawn(&mut unshare, &settings([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")]));
        namespace.prints("mounted").await.then_some(Self::Small { folder, namespace })
    }

    fn limited() -> Self {
        Self::Limited { folder: tempfile::tempdir().unwrap() }
    }

    /// The folder as this process sees it.
    fn path(&self) -> PathBuf {
        match self {
            Self::Small { folder, namespace } => {
                let folder = folder.path().strip_prefix("/").unwrap();
                PathBuf::from(format!("/proc/{}/root", namespace.id())).join(folder)
            }
            Self::Limited { folder } => folder.path().to_owned(),
        }
    }

    pub(crate) fn start_demo(&self) -> Process {
        let binary = env!("CARGO_BIN_EXE_glasshouse");
        let (folder, mut command) = match self {
            Self::Small { folder, namespace } => {
                let mut command = Command::new("nsenter");
                command.args(["--target", &namespace.id().to_string(), "--user", "--mount"]);
                command.args(["--preserve-credentials", binary, "demo"]);
                (folder, command)
            }
            Self::Limited { folder } => {
                // A write beyond the limit fails, instead of ending the process.
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "trap '' XFSZ && exec \"$0\" demo", binary]);
                (folder, command)
            }
        };
        let data = folder.path().to_str().unwrap();
        let path = ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Process::spawn(&mut command, &with(&common(), [("GLASSHOUSE_DATA_DIR", data), path]))
    }

    /// Takes all space but `pages` of 4 KiB away.
    fn fill(&self, demo: &Process, pages: u64) {
        match self {
            Self::Small { .. } => {
                let mut filler = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
                while filler.write_all(&[0; 4096]).is_ok() {}
                let length = filler.metadata().unwrap().len();
                filler.set_len(length - pages * 4096).unwrap();
            }
            Self::Limited { .. } => limit_files_of(demo, &((pages + 1) * 4096).to_string()),
        }
    }

    fn free(&self, demo: &Process) {
        match self {
            Self::Small { .. } => drop(File::create(self.filler()).unwrap()),
            Self::Limited { .. } => limit_files_of(demo, "unlimited"),
        }
    }

    /// Makes a small file system read-only for files that are opened from now on.
    pub(crate) fn make_read_only(&self) {
        // A mount in use cannot become read-only, so it is mounted elsewhere first. A mount of a read-only one is read-only.
        self.mount(
            "view=$(mktemp -d) && mount --bind \"$0\" \"$view\" && mount -o remount,bind,ro \"$view\" && \
             mount --bind \"$view\" \"$0\" && umount --lazy \"$view\" && rmdir \"$view\"",
        );
    }

    /// Makes a small file system writable again for files that are opened from now on.
    pub(crate) fn make_writable(&self) {
        self.mount("umount --lazy \"$0\"");
    }

    /// Changes the mounts of the namespace.
    fn mount(&self, script: &str) {
        let Self::Small { folder, namespace } = self else { panic!("a folder is no file system") };
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &namespace.id().to_string(), "--user", "--mount"]);
        nsenter.args(["--preserve-credentials", "sh", "-c", script]).arg(folder.path());
        assert!(nsenter.status().unwrap().success(), "{script}");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

fn limit_files_of(process: &Process, bytes: &str) {
    let process = process.id().to_string();
    let limit = format!("--fsize={bytes}:unlimited");
    assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap().success());
}

/// An order that a client has tried to place.
#[derive(Debug)]
struct Attempt {
    key: String,
    /// The id of the order in the response, if that acknowledged it.
    order: Option<String>,
}

async fn place_order(owner: &Client, product: &str) -> Attempt {
    let key = key();
    let response = owner.order_with_key(product, 1, &key).await;
    let status = response.status.as_u16();
    assert!([201, 202, 503].contains(&status), "{response:?}");
    Attempt { key, order: (status != 503).then(|| response["id"].as_str().unwrap().to_owned()) }
}

async fn place_orders(owner: &Client, product: &str) -> Vec<Attempt> {
    concurrently((0..12).map(|_| place_order(owner, product))).await
}

/// The number of all orders of a tenant.
async fn count_orders(owner: &Client) -> usize {
    let (mut count, mut path) = (0, "/v1/orders?limit=100".to_owned());
    loop {
        let page = owner.get(&path).await.expect(200);
        count += page["items"].as_array().unwrap().len();
        let Some(cursor) = page["next_cursor"].as_str() else { return count };
        path = format!("/v1/orders?limit=100&cursor={cursor}");
    }
}

async fn nothing_is_lost_on(disk: Disk) {
    let mut demo = disk.start_demo();
    let slug = new_slug();
    let owner = demo.client("http_addr").await.sign_up(&slug).await;
    let product = owner.add_product(STOCK).await;
    let mut attempts = Vec::new();
    for round in 0..8 {
        disk.fill(&demo, 2 * round);
        for _ in 0..3 {
            attempts.extend(place_orders(&owner, &product).await);
        }
        disk.free(&demo);
        eventually("orders are placed again, without a restart", async || {
            attempts.push(place_order(&owner, &product).await);
            attempts.last().and_then(|attempt| attempt.order.as_ref()).map(drop)
        })
        .await;
        let placed = place_orders(&owner, &product).await;
        assert!(placed.iter().all(|attempt| attempt.order.is_some()), "{placed:?}");
        attempts.extend(placed);
    }
    assert!(attempts.iter().any(|attempt| attempt.order.is_none()), "the disk was never full");
    let charges = demo.client("gateway_addr").await.get("/v1/charges").await.expect(200);
    demo.signal("KILL");
    demo.ends().await;

    let mut demo = disk.start_demo();
    let anonymous = demo.client("http_addr").await;
    let owner = anonymous.log_in(&slug, &format!("owner@{slug}.example"), PASSWORD).await;
    let orders = count_orders(&owner).await;
    assert!(
        orders >= usize::try_from(charges["total"].as_u64().unwrap()).unwrap(),
        "{orders} orders, {charges}"
    );
    for order in attempts.iter().filter_map(|attempt| attempt.order.as_ref()) {
        owner.get(&format!("/v1/orders/{order}")).await.expect(200);
    }
    // A client repeats what was not acknowledged.
    for Attempt { key, order } in &attempts {
        let repeated = owner.order_with_key(&product, 1, key).await;
        assert!(repeated.status.is_success(), "{repeated:?}");
        assert!(
            order.as_ref().is_none_or(|order| repeated["id"] == **order),
            "{repeated:?} is not {order:?}"
        );
    }
    assert_eq!(count_orders(&owner).await, attempts.len());
    assert_eq!(owner.stock(&product).await, STOCK - i64::try_from(attempts.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_a_full_disk() {
    if let Some(disk) = Disk::small().await {
        nothing_is_lost_on(disk).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_files_cannot_grow() {
    nothing_is_lost_on(Disk::limited()).await;
}
