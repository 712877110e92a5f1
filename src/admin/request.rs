//! The one line of a request that matters here.

use std::io::{self, BufRead, Read};

/// A request line and its headers; more is no probe and no scraper.
const HEAD_BYTES_MAX: u64 = 8_192;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The path, without what follows a question mark.
    Get(String),
    /// Another method, or nothing that is HTTP.
    Other,
}

impl Request {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// When the connection breaks before the head ends.
    pub fn read(from: impl Read) -> io::Result<Self> {
        let mut head = io::BufReader::new(from.take(HEAD_BYTES_MAX));
        let mut first = String::new();
        head.read_line(&mut first)?;
        loop {
            let mut header = String::new();
            if head.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
                return Ok(Self::of(&first));
            }
        }
    }

    fn of(line: &str) -> Self {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some("GET" | "HEAD"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => {
                Self::Get(target.split('?').next().unwrap_or_default().to_owned())
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &str, expected: &Request) {
        assert_eq!(&Request::read(sent.as_bytes()).expect("a whole head"), expected);
    }

    #[test]
    fn a_probe_is_understood() {
        check("GET /health/live?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", &Request::Get("/health/live".into()));
    }

    #[test]
    fn what_is_no_get_is_refused() {
        check("POST /metrics HTTP/1.1\r\n\r\n", &Request::Other);
        check("\u{16}\u{3}\u{1}", &Request::Other);
        check("", &Request::Other);
    }

    #[test]
    fn an_endless_head_ends() {
        let endless = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(100_000));
        check(&endless, &Request::Get("/".into()));
    }
}
