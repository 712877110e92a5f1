//! Tests on a real Apache Kafka. Without Java and Maven they say that they were skipped; `GAITKEEPER_TEST_KAFKA=require` makes
//! that a failure.

mod broker;

use broker::Broker;

#[test]
fn a_broker_answers() {
    let Some(broker) = Broker::shared() else { return };
    eprintln!("{}", broker.bootstrap());
}
