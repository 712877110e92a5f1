//! `JUnit` XML, which every CI system shows as a list of tests.

use std::io::{self, Write};

use super::expectation::Verdict;

/// Writes the verdicts as one test suite.
///
/// # Errors
/// Writing failed.
pub fn write(out: &mut impl Write, suite: &str, verdicts: &[Verdict]) -> io::Result<()> {
    let failures = verdicts.iter().filter(|verdict| verdict.failure.is_some()).count();
    let suite = escaped(suite);
    let tests = verdicts.len();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites tests="{tests}" failures="{failures}" errors="0">"#)?;
    writeln!(out, r#"  <testsuite name="{suite}" tests="{tests}" failures="{failures}" errors="0" skipped="0">"#)?;
    for Verdict { name, failure } in verdicts {
        let name = escaped(name);
        match failure {
            None => writeln!(out, r#"    <testcase classname="{suite}" name="{name}"/>"#)?,
            Some(text) => {
                let message = escaped(text.lines().next().unwrap_or_default());
                writeln!(out, r#"    <testcase classname="{suite}" name="{name}">"#)?;
                writeln!(out, r#"      <failure message="{message}">{}</failure>"#, escaped(text))?;
                writeln!(out, "    </testcase>")?;
            }
        }
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text fit for an attribute or an element; characters that XML 1.0 cannot hold become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_hostile_names_escaped() {
        let verdicts = [
            Verdict { name: "volume of <b>&\"a\"\u{1}".into(), failure: None },
            Verdict { name: "quiet".into(), failure: Some("expected exactly 0, found 1\n  1 novelty".into()) },
        ];
        let mut out = Vec::new();
        write(&mut out, "fixtures/volume.toml", &verdicts).expect("memory");
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1" errors="0">
  <testsuite name="fixtures/volume.toml" tests="2" failures="1" errors="0" skipped="0">
    <testcase classname="fixtures/volume.toml" name="volume of &lt;b&gt;&amp;&quot;a&quot;�"/>
    <testcase classname="fixtures/volume.toml" name="quiet">
      <failure message="expected exactly 0, found 1">expected exactly 0, found 1
  1 novelty</failure>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
