//! Brokers that want to know who comes: SASL_SSL with SCRAM-SHA-512, and certificates of both sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{kuzet, replace, top_up, values, wait_until_ready, wait_until_unready};
use crate::cluster::{Cluster, free_ports};
use crate::fleet::{self, Instance, Topics};
use crate::{command, turn};

const PASSWORD: &str = "correct-horse-7731";
const WRONG: &str = "wrong-horse-4242";

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("openssl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes an authority.
fn authority(folder: &Path, name: &str) {
    let (key, certificate, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    openssl(folder, &[&new[..], &["-keyout", &key, "-out", &certificate, "-subj", &subject]].concat());
}

/// Makes a certificate of `authority` for this machine.
fn certificate(folder: &Path, name: &str, authority: &str) {
    let [key, request, out, ca, ca_key] = [
        format!("{name}.key"),
        format!("{name}.csr"),
        format!("{name}.pem"),
        format!("{authority}.pem"),
        format!("{authority}.key"),
    ];
    let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(folder, &[&new[..], &["-keyout", &key, "-out", &request, "-subj", &format!("/CN={name}")]].concat());
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("a file");
    let sign = ["x509", "-req", "-days", "2", "-CAcreateserial", "-extfile", "names"];
    openssl(folder, &[&sign[..], &["-in", &request, "-out", &out, "-CA", &ca, "-CAkey", &ca_key]].concat());
    let whole = [&key, &out].map(|file| fs::read_to_string(folder.join(file)).expect("PEM")).concat();
    fs::write(folder.join(format!("{name}.both.pem")), whole).expect("a key with its certificate");
}

/// A broker with a plain listener for the test itself, and two that are not.
struct Guarded {
    cluster: Cluster,
    scram: u16,
    mutual: u16,
    folder: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = folder.path();
        authority(keys, "ca");
        authority(keys, "strange-ca");
        certificate(keys, "broker", "ca");
        certificate(keys, "client", "ca");
        let ports = free_ports(2);
        let (scram, mutual) = (ports[0], ports[1]);
        let at = |name: &str| keys.join(name).display().to_string();
        let listeners = |controller: &str| {
            format!("PLAINTEXT://127.0.0.1:{{port}},SCRAM://127.0.0.1:{scram},MUTUAL://127.0.0.1:{mutual}{controller}")
        };
        let (listening, told) = (listeners(",CONTROLLER://127.0.0.1:{controller}"), listeners(""));
        let (keystore, truststore) = (at("broker.both.pem"), at("ca.pem"));
        let settings = [
            ("listeners", listening.as_str()),
            ("advertised.listeners", &told),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL"),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", &keystore),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &truststore),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
            (
                "listener.name.scram.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
            ("listener.name.mutual.ssl.client.auth", "required"),
        ];
        let user = format!("SCRAM-SHA-512=[name=kuzet,password={PASSWORD}]");
        Self { cluster: Cluster::start_formatted(1, &settings, &["--add-scram", &user]), scram, mutual, folder }
    }

    /// Writes a configuration that comes in by a guarded listener.
    fn configure(&self, topics: &Topics, instance: &str, port: u16, properties: &str) -> PathBuf {
        let folder = self.folder.path().join(instance);
        fs::create_dir_all(&folder).expect("a folder");
        let config = topics.configure(&self.cluster, &folder, instance, 100);
        replace(&config, &self.cluster.bootstrap(), &format!("127.0.0.1:{port}"));
        let file = folder.join("client.properties");
        let waits = fs::read_to_string(&file).expect("settings");
        fs::write(&file, format!("{waits}{}", properties.replace("{keys}", &self.folder.path().display().to_string())))
            .expect("settings");
        config
    }
}

fn scram(password: &str, ca: &str) -> String {
    format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nsasl.username=kuzet\nsasl.password={password}\n\
         ssl.ca.location={{keys}}/{ca}.pem\n"
    )
}

const MUTUAL: &str = "security.protocol=SSL\nssl.ca.location={keys}/ca.pem\nssl.certificate.location={keys}/client.pem\n\
                      ssl.key.location={keys}/client.key\n";

#[test]
fn guarded_brokers_let_kuzet_in_and_refusals_say_where_to_look() {
    let _turn = turn::take(super::MODULE);
    let guarded = Guarded::start();
    lets_in(&guarded, "scram", guarded.scram, &scram(PASSWORD, "ca"));
    lets_in(&guarded, "mutual", guarded.mutual, MUTUAL);

    let without = "security.protocol=SSL\nssl.ca.location={keys}/ca.pem\n";
    let (sasl, ssl) = ("sasl.password in the file that kafka.properties_file names", "ssl.ca.location");
    for (name, port, properties, words) in [
        ("wrong-password", guarded.scram, scram(WRONG, "ca"), [sasl, "SCRAM-SHA-512"]),
        ("unknown-ca", guarded.scram, scram(PASSWORD, "strange-ca"), [ssl, "certificate verify failed"]),
        ("no-certificate", guarded.mutual, without.to_owned(), [ssl, "ssl.certificate.location"]),
    ] {
        let topics = Topics::named("scram", 2);
        let config = guarded.configure(&topics, name, port, &properties);
        let begun = std::time::Instant::now();
        let (code, out, err) = kuzet(&["kafka", "topics", "--check"], &config);
        assert!(code == 64 && words.iter().all(|word| err.contains(word)), "{name}: {code}\n{out}{err}");
        println!("{name}: told after {:?}: {err}", begun.elapsed());
        let instance = Instance::start(&config, None);
        let detail = wait_until_unready(&instance, words[0]);
        assert!(detail.contains(words[1]), "{name}: {detail}");
        let log = instance.log();
        let said = format!("{out}{err}{detail}{log}");
        assert!(!said.contains(PASSWORD) && !said.contains(WRONG), "{name}: a secret is told\n{said}");
        instance.end();
    }
}

fn lets_in(guarded: &Guarded, prefix: &str, port: u16, properties: &str) {
    let topics = Topics::named(prefix, 2);
    let config = guarded.configure(&topics, prefix, port, properties);
    let (code, out, err) = kuzet(&["kafka", "topics", "--create", "--partitions", "2"], &config);
    assert_eq!(code, 0, "{out}{err}");
    let mut instance = Instance::start(&config, None);
    wait_until_ready(&instance);
    let records = ["a", "b", "c"].map(|op_id| top_up(op_id, "77070000001").into_bytes());
    fleet::send(&guarded.cluster, &topics, &records);
    fleet::wait_until_decided(&guarded.cluster, &topics, &mut [&mut instance]);
    instance.end();
    assert_eq!(values(&guarded.cluster, &topics.name("decisions")).len(), 3);
    let (code, out, err) = kuzet(&["kafka", "verify"], &config);
    assert!(code == 0 && out.matches(", sound").count() == 2, "{out}{err}");
    let file = config.with_file_name("client.properties");
    let checked = command::kuzet()
        .args(["ledger-check", "--brokers", &format!("127.0.0.1:{port}"), "--topic", &topics.name("decisions")])
        .arg("--command-config")
        .arg(file)
        .output()
        .expect("kuzet runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
