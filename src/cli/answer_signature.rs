//! The signature under an answer that a person gives at a terminal: a detached JWS (RFC 7515, appendix F) over the canonical form of
//! the answer, as [`crate::config::AnswerKeys`] verifies it.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::stats::canonical;

/// Signs with a private key in PEM: ES256 where it is a key on P-256 (PKCS #8), RS256 where it is RSA (PKCS #1).
///
/// # Errors
/// When the key is neither.
pub fn detached(answer: &Value, pem: &str) -> anyhow::Result<String> {
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).context("is not in PEM")?;
    let payload = BASE64URL.encode(canonical::bytes(answer));
    let signed = |key: &EncodingKey, algorithm, name: &str| {
        let header = BASE64URL.encode(canonical::bytes(&json!({"alg": name})));
        let signature = crypto::sign(format!("{header}.{payload}").as_bytes(), key, algorithm)?;
        Ok(format!("{header}..{signature}"))
    };
    let by_curve = signed(&EncodingKey::from_ec_der(&der), Algorithm::ES256, "ES256");
    by_curve
        .or_else(|_: jsonwebtoken::errors::Error| signed(&EncodingKey::from_rsa_der(&der), Algorithm::RS256, "RS256"))
        .context("is neither a key on P-256 in PKCS #8 nor an RSA key in PKCS #1")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use serde_json::json;

    use super::{BASE64URL, STANDARD, detached};
    use crate::config::AnswerKeys;
    use crate::stats::canonical;

    /// RFC 7515, appendix A.3: the public key, and the number that is the private one.
    const PUBLIC: &str =
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const PRIVATE: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    /// What stands before that number in PKCS #8 (RFC 5208, RFC 5915).
    const BEFORE: &str = "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCA";

    fn pem() -> String {
        let mut der = STANDARD_NO_PAD.decode(BEFORE).expect("base64");
        der.extend(BASE64URL.decode(PRIVATE).expect("base64url"));
        format!("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", "PRIVATE KEY", STANDARD.encode(der))
    }

    #[test]
    fn what_is_signed_here_verifies_and_nothing_else_does() {
        let keys = AnswerKeys::read(vec![PUBLIC.to_owned()]).expect("a good key");
        let answer = json!({"request_id": "0-1", "outcome": "approved"});
        let signature = detached(&answer, &pem()).expect("a good key");
        assert!(keys.verify_detached(&signature, &canonical::bytes(&answer)));
        assert!(!keys.verify_detached(&signature, &canonical::bytes(&json!({"request_id": "0-1", "outcome": "denied"}))));
    }

    #[test]
    fn a_file_that_holds_no_private_key_is_refused() {
        assert!(detached(&json!({}), PUBLIC).is_err());
    }
}
