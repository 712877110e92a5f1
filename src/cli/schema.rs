//! `gaitkeeper schema NAME`.

use std::io::Write;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::event::schema::native_event;
use crate::finding::{Finding, StepUpRequest};

use super::{Exit, Failure, Outcome};

/// Prints the JSON Schema (draft 2020-12) of a message
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which message
    #[arg(value_enum)]
    name: Name,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Name {
    /// What agents send: records of agent-events
    Event,
    /// What a SOC reads: records of agent-alerts
    Finding,
    /// What asks for a decision: records of agent-stepup-requests
    StepupRequest,
}

pub fn run(Args { name }: Args) -> Outcome {
    let schema = match name {
        Name::Event => native_event(),
        Name::Finding => of::<Finding>(),
        Name::StepupRequest => of::<StepUpRequest>(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(Failure::io)?;
    writeln!(std::io::stdout(), "{text}").map_err(Failure::io)?;
    Ok(Exit::Fine)
}

/// The schema of what is written, not of what could be read.
fn of<T: JsonSchema>() -> Value {
    let schema: Schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: &Value, message: &Value, valid: bool) {
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(message).map(|error| error.to_string()).collect();
        assert_eq!(errors.is_empty(), valid, "{errors:?}");
    }

    fn finding() -> Value {
        json!({
            "finding_id": "f", "activity": "open", "kind": "volume", "severity": "high", "risk": 80, "decision": "step_up",
            "title": "t", "agent_id": "a", "first_seen": 1, "last_seen": 2, "count": 1, "detected_at": 2, "score": 3.5,
            "reasons": [{"channel": "volume", "field": "bytes_out", "expected": "3 KB", "actual": "48 MB", "contribution": 1.0}],
            "policy": {"id": "p", "version": "v", "rule": "r"}, "techniques": ["T1530"], "events": ["e"],
        })
    }

    #[test]
    fn findings_follow_their_schema() {
        let written = serde_json::from_value::<Finding>(finding()).unwrap();
        check(&of::<Finding>(), &serde_json::to_value(written).unwrap(), true);
    }

    #[test]
    fn a_finding_without_its_kind_or_with_an_unknown_one_is_refused() {
        let mut message = finding();
        message["kind"] = json!("hunch");
        check(&of::<Finding>(), &message, false);
        message.as_object_mut().unwrap().remove("kind");
        check(&of::<Finding>(), &message, false);
    }

    #[test]
    fn every_schema_is_one() {
        for schema in [native_event(), of::<Finding>(), of::<StepUpRequest>()] {
            assert!(jsonschema::draft202012::meta::is_valid(&schema));
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        }
    }

    #[test]
    fn a_step_up_request_must_say_when_it_expires() {
        let schema = of::<StepUpRequest>();
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&json!("expires_at")) && required.contains(&json!("request_id")));
        assert!(!required.contains(&json!("signature")));
    }
}
