//! Owns who may call: tokens, kept only as digests, and compared in constant time.

use std::fmt;

use crate::limits::{API_TOKEN_BYTES_MIN, API_TOKENS_MAX};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Whom to let in. The tokens themselves are not kept.
#[derive(Clone)]
pub struct Tokens(Vec<(String, [u8; 32])>);

/// What is wrong with a token file; never quotes a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What would be right.
    pub message: String,
}

impl Tokens {
    /// Reads lines `name:token`; empty lines and lines that begin with `#` say nothing.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut tokens: Vec<(String, [u8; 32])> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |message: String| Err(TokenError { line: number, message });
            let Some((name, token)) = line.split_once(':') else {
                return fail("must be 'name:token'".to_owned());
            };
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
            if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
                return fail("the name must be 1 to 64 letters, digits, '-', '_', '.' or '@'".to_owned());
            }
            if token.len() < API_TOKEN_BYTES_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return fail(format!(
                    "the token must be at least {API_TOKEN_BYTES_MIN} visible ASCII characters"
                ));
            }
            let digest = Sha256::digest(token.as_bytes()).into();
            if tokens.iter().any(|(_, other)| *other == digest) {
                return fail("this token stands on an earlier line too".to_owned());
            }
            if tokens.len() == API_TOKENS_MAX {
                return fail(format!("there may be at most {API_TOKENS_MAX} tokens"));
            }
            tokens.push((name.to_owned(), digest));
        }
        if tokens.is_empty() {
            return Err(TokenError {
                line: 0,
                message: "must have at least one line 'name:token'".to_owned(),
            });
        }
        Ok(Self(tokens))
    }

    /// The name that belongs to an `Authorization` header. Every token is looked at, whichever fits.
    pub(crate) fn name_of(&self, authorization: Option<&[u8]>) -> Option<&str> {
        let header = authorization?;
        let (scheme, token) = header.split_at_checked("Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let mut found = u32::MAX;
        for (index, (_, known)) in (0u32..).zip(&self.0) {
            found.conditional_assign(&index, known.ct_eq(&digest));
        }
        self.0.get(found as usize).map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}: {}", self.message),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_owner_and_others_name_nobody() {
        let tokens =
            Tokens::parse("# operators\nann:0123456789abcdef\n\nbob:fedcba9876543210:x\n").expect("good");
        let name = |header: &str| tokens.name_of(Some(header.as_bytes()));
        assert_eq!(name("Bearer 0123456789abcdef"), Some("ann"));
        assert_eq!(name("bearer fedcba9876543210:x "), Some("bob"));
        for bad in
            ["", "Bearer", "Bearer ", "Basic 0123456789abcdef", "Bearer 0123456789abcdeg", "0123456789abcdef"]
        {
            assert_eq!(name(bad), None, "{bad}");
        }
        assert_eq!(tokens.name_of(None), None);
        assert!(!format!("{tokens:?}").contains("0123456789"));
    }

    #[test]
    fn bad_files_say_which_line_and_quote_no_token() {
        for (text, line) in [
            ("", 0),
            ("# none", 0),
            ("ann", 1),
            ("ann:0123456789abcdef\n:0123456789abcdeg", 2),
            ("ann:tooshort", 1),
            ("ann:0123456789abcdef\nbob:0123456789abcdef", 2),
            ("a b:0123456789abcdef", 1),
        ] {
            let error = Tokens::parse(text).expect_err(text);
            assert_eq!(error.line, line, "{text}");
            assert!(
                !error.to_string().contains("0123") && !error.to_string().contains("tooshort"),
                "{error}"
            );
        }
    }
}
