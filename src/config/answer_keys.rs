//! Keys whose signatures under answers count. A signature is a detached JWS (RFC 7515, appendix F) over the canonical form
//! (RFC 8785) of the answer without its `signature`: RS256 or ES256, as the key decides, never the header alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

/// Bits of the smallest RSA key that is trusted.
const RSA_BITS_MIN: usize = 2048;

/// Public keys whose signatures count; holding them proves that each can be used.
#[derive(Debug, Clone, Default)]
pub struct AnswerKeys {
    texts: Vec<String>,
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No JSON Web Key at all.
    #[error("is no JSON Web Key: {0}")]
    Json(#[from] serde_json::Error),
    /// A key of a kind that nothing here verifies with.
    #[error("is a key of another kind, expected RSA or EC with the curve P-256")]
    Kind,
    /// An RSA key that can be broken.
    #[error("is an RSA key of {bits} bits, expected at least {RSA_BITS_MIN}")]
    Short {
        /// Its length.
        bits: usize,
    },
    /// Its numbers are not what they should be.
    #[error("has unusable numbers: {0}")]
    Numbers(#[from] jsonwebtoken::errors::Error),
}

impl PartialEq for AnswerKeys {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl AnswerKeys {
    /// Reads public keys, each the text of a JSON Web Key (RFC 7517).
    ///
    /// # Errors
    /// The place of the first key that cannot be used, from 0, and why.
    pub fn read(texts: Vec<String>) -> Result<Self, (usize, KeyError)> {
        let keys = texts.iter().enumerate().map(|(place, text)| key(text).map_err(|error| (place, error)));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, texts })
    }

    /// The keys as they were written.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether `jws` (`header..signature`) is a trusted key's signature over `payload`.
    #[must_use]
    pub fn verify_detached(&self, jws: &str, payload: &[u8]) -> bool {
        let parts: Vec<&str> = jws.split('.').collect();
        let [header, "", signature] = parts[..] else { return false };
        let Some(read) = BASE64URL.decode(header).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok()) else {
            return false;
        };
        // What is critical must be understood, and nothing is.
        if read.get("crit").is_some() {
            return false;
        }
        let message = format!("{header}.{}", BASE64URL.encode(payload));
        let named = read.get("kid").and_then(serde_json::Value::as_str);
        let algorithm = read.get("alg").and_then(serde_json::Value::as_str);
        let fits =
            |key: &&Key| algorithm == Some(name(key.algorithm)) && (named.is_none() || key.id.is_none() || named == key.id.as_deref());
        self.keys
            .iter()
            .filter(fits)
            .any(|key| crypto::verify(signature, message.as_bytes(), &key.decoding, key.algorithm).unwrap_or(false))
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    if algorithm == Algorithm::ES256 { "ES256" } else { "RS256" }
}

fn key(text: &str) -> Result<Key, KeyError> {
    let jwk: Jwk = serde_json::from_str(text)?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) => {
            let modulus = BASE64URL.decode(&parameters.n).unwrap_or_default();
            let bits = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
            if bits < RSA_BITS_MIN {
                return Err(KeyError::Short { bits });
            }
            Algorithm::RS256
        }
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return Err(KeyError::Kind),
    };
    Ok(Key { decoding: DecodingKey::from_jwk(&jwk)?, id: jwk.common.key_id, algorithm })
}

#[cfg(test)]
mod tests {
    use super::{AnswerKeys, BASE64URL};
    use base64::Engine as _;

    /// RFC 7515, appendix A.3: key, header, payload, signature.
    const EC: &str =
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    /// RFC 7515, appendix A.2.
    const RSA: &str = concat!(
        r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"#,
        r#"SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665"#,
        r#"xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#
    );
    const RSA_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
    const RSA_SIGNATURE: &str = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYN",
        "X4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOP",
        "qvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );

    #[track_caller]
    fn check(key: &str, jws: &str, expected: bool) {
        let keys = AnswerKeys::read(vec![key.to_owned()]).expect("a good key");
        let payload = BASE64URL.decode(PAYLOAD).expect("base64url");
        assert_eq!(keys.verify_detached(jws, &payload), expected, "{jws}");
    }

    #[test]
    fn the_examples_of_the_rfc_verify() {
        check(EC, &format!("{HEADER}..{SIGNATURE}"), true);
        check(RSA, &format!("{RSA_HEADER}..{RSA_SIGNATURE}"), true);
    }

    #[test]
    fn anything_else_does_not() {
        check(EC, &format!("{HEADER}..{}", SIGNATURE.replace("DtEh", "DtEi")), false);
        check(EC, &format!("{HEADER}.{PAYLOAD}.{SIGNATURE}"), false);
        check(EC, &format!("{RSA_HEADER}..{SIGNATURE}"), false);
        check(RSA, &format!("{HEADER}..{SIGNATURE}"), false);
        // {"alg":"none"}
        check(EC, "eyJhbGciOiJub25lIn0..", false);
        check(EC, "", false);
        check(EC, "..", false);
    }

    #[test]
    fn another_payload_does_not_verify() {
        let keys = AnswerKeys::read(vec![EC.to_owned()]).expect("a good key");
        assert!(!keys.verify_detached(&format!("{HEADER}..{SIGNATURE}"), b"{}"));
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let (place, error) = AnswerKeys::read(vec![EC.to_owned(), text.to_owned()]).expect_err(text);
        assert!(place == 1 && error.to_string().contains(expected), "{place}: {error}");
    }

    #[test]
    fn keys_that_prove_nothing_are_refused() {
        check_refused("secret", "is no JSON Web Key");
        check_refused(r#"{"kty":"oct","k":"c2VjcmV0"}"#, "of another kind");
        check_refused(r#"{"kty":"RSA","n":"c2hvcnQ","e":"AQAB"}"#, "of 40 bits");
    }
}
