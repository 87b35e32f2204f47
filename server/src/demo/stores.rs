//! The stores that all share: a NATS server in each zone, and one store of S3's protocol in the street.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::parts;
use super::processes::Program;
use super::zones::{STREET, Zone};

const NATS_PORT: u16 = 4222;
const ROUTES_PORT: u16 = 6222;
pub(super) const S3_PORT: u16 = 8333;
pub(super) const BUCKET: &str = "lambent";
/// Keys of stores that only this demo reaches.
pub(super) const S3_KEY: &str = "lambent";
pub(super) const S3_SECRET: &str = "lambent-demo";

/// The NATS servers, a zone each.
pub(super) fn nats(folder: &Path, zones: &[Zone]) -> anyhow::Result<Vec<(Zone, Program)>> {
    let server = parts::nats()?;
    let each = zones.iter().map(|zone| {
        let name = format!("nats-{}", zone.name());
        let config = folder.join(format!("{name}.conf"));
        write(&config, &nats_config(folder, *zone, zones))?;
        let mut words = zone.enter();
        words.push(server.display().to_string());
        words.extend(["--config".to_owned(), config.display().to_string()]);
        let program = Program {
            log: folder.join(format!("{name}.log")),
            name,
            words,
            variables: Vec::new(),
        };
        Ok((*zone, program))
    });
    each.collect()
}

fn nats_config(folder: &Path, zone: Zone, zones: &[Zone]) -> String {
    let (name, address) = (zone.name(), zone.address());
    let store = folder.join(format!("nats-{name}"));
    let mut text = format!(
        r#"server_name: "{name}"
listen: "{address}:{NATS_PORT}"
max_payload: 8MB
jetstream {{ store_dir: "{}", sync_interval: always, max_file_store: 8GB }}
accounts {{
  $SYS {{ users: [{{ user: system, password: system }}] }}
  LAMBENT {{ jetstream: enabled, users: [{{ user: lambent, password: lambent }}] }}
}}
"#,
        store.display()
    );
    if zones.len() > 1 {
        let routes = zones
            .iter()
            .map(|zone| format!("\"nats://{}:{ROUTES_PORT}\"", zone.address()));
        let routes = routes.collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "cluster {{ name: demo, listen: \"{address}:{ROUTES_PORT}\", routes: [{routes}] }}\n"
        ));
    }
    text
}

/// SeaweedFS with all its parts in one process.
pub(super) fn s3(folder: &Path) -> anyhow::Result<Program> {
    let data = folder.join("s3");
    fs::create_dir(&data)?;
    let keys = folder.join("s3.json");
    let identities = json!({"identities": [{
        "name": "lambent",
        "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }]});
    write(&keys, &identities.to_string())?;
    let mut words = vec![parts::s3()?.display().to_string()];
    let fixed = "-logtostderr server -filer -s3 -master.telemetry=false -volume.max=16 -master.volumeSizeLimitMB=256";
    words.extend(fixed.split(' ').map(str::to_owned));
    words.extend([
        format!("-ip={STREET}"),
        format!("-ip.bind={STREET}"),
        format!("-s3.port={S3_PORT}"),
        format!("-dir={}", data.display()),
        format!("-s3.config={}", keys.display()),
        format!("-filer.localSocket={}", folder.join("filer.sock").display()),
        format!("-s3.localSocket={}", folder.join("s3.sock").display()),
    ]);
    Ok(Program {
        name: "s3".to_owned(),
        words,
        variables: Vec::new(),
        log: folder.join("s3.log"),
    })
}

/// What Lambent's configuration says of them.
pub(super) fn settings(zones: &[Zone]) -> String {
    let servers = zones
        .iter()
        .map(|zone| format!("\"nats://{}:{NATS_PORT}\"", zone.address()));
    format!(
        r#"[cluster.nats]
servers = [{}]
user = "lambent"
password = "lambent"
system_user = "system"
system_password = "system"
replicas = {}

[cluster.s3]
endpoint = "http://{STREET}:{S3_PORT}"
bucket = "{BUCKET}"
access_key_id = "{S3_KEY}"
secret_access_key = "{S3_SECRET}"
"#,
        servers.collect::<Vec<_>>().join(", "),
        zones.len(),
    )
}

/// Where a zone's NATS server answers.
pub(super) fn nats_address(zone: Zone) -> (Ipv4Addr, u16) {
    (zone.address(), NATS_PORT)
}

/// A file for its owner alone.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut options = fs::File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", path.display()))
}
