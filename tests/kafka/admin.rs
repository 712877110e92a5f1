//! Health and metrics of the running service.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::broker::Broker;
use crate::delivery::{produce, unreadable};
use crate::process::{Process, config_file};
use crate::stand::{Stand, wait_until};

/// What is answered to a request, with its head; nothing when nobody listens.
pub fn get(address: &str, path: &str) -> String {
    let Ok(mut connection) = TcpStream::connect(address) else { return String::new() };
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut said = String::new();
    connection.read_to_string(&mut said).expect("it answers");
    said
}

/// Where an instance that said so serves its metrics.
pub fn address_in(said: &str) -> String {
    said.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address").to_owned()
}

#[test]
fn an_instance_is_ready_once_it_has_its_partitions_and_counts_what_it_does() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "admin", 2);
    stand.config.admin_listen = "127.0.0.1:0".into();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    produce(&stand, &unreadable(100));
    let mut first = Process::start(folder.path(), "first", &["run", "--config", &config]);
    wait_until("it says where", || first.said().contains("health and metrics are served"));
    let address = address_in(&first.said());
    assert!(get(&address, "/health/live").starts_with("HTTP/1.1 200"));
    wait_until("it is ready", || get(&address, "/health/ready").starts_with("HTTP/1.1 200"));
    wait_until("everything is consumed", || stand.consumed() == 100);
    wait_until("the commit is counted", || get(&address, "/metrics").contains("gaitkeeper_records_total 100\n"));
    let metrics = get(&address, "/metrics");
    for line in
        ["gaitkeeper_dead_letters_total{reason=\"malformed_json\"} 100\n", "gaitkeeper_partitions 2\n", "gaitkeeper_events_total 0\n"]
    {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    wait_until("the lag is known", || get(&address, "/metrics").contains("gaitkeeper_lag_records{partition=\"1\""));

    // A second instance on the same address runs all the same.
    stand.config.admin_listen = address;
    let config = config_file(&stand, folder.path());
    let mut second = Process::start(folder.path(), "second", &["run", "--config", &config]);
    wait_until("it says so", || second.said().contains("running without them"));
    wait_until("it works", || second.said().contains("partition gained"));
    for process in [&mut first, &mut second] {
        process.signal("TERM");
        assert!(process.wait().success(), "{}", process.said());
    }
}
