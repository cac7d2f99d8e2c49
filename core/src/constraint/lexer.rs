//! Owns the words and signs of a rule's text, each with its column.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Error;

/// One word or sign, and the column where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) column: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Written without quotes.
    Word(String),
    /// Written in quotes; never a keyword.
    Quoted(String),
    Keyword(Keyword),
    Open,
    Close,
    /// `==`, `!=`, `~=`, `<`, `<=`, `>`, `>=`.
    Sign(&'static str),
    End,
}

/// A word with a meaning of its own, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    Prefer,
    Unique,
    Cluster,
    GroupBy,
    MaxPer,
    Like,
    Unlike,
    Is,
    Equal,
    Contains,
}

const KEYWORDS: [(&str, Keyword); 13] = [
    ("AND", Keyword::And),
    ("OR", Keyword::Or),
    ("NOT", Keyword::Not),
    ("PREFER", Keyword::Prefer),
    ("UNIQUE", Keyword::Unique),
    ("CLUSTER", Keyword::Cluster),
    ("GROUP_BY", Keyword::GroupBy),
    ("MAX_PER", Keyword::MaxPer),
    ("LIKE", Keyword::Like),
    ("UNLIKE", Keyword::Unlike),
    ("IS", Keyword::Is),
    ("EQUAL", Keyword::Equal),
    ("CONTAINS", Keyword::Contains),
];

/// Signs, the longer before those they begin with.
const SIGNS: [(&str, Kind); 12] = [
    ("==", Kind::Sign("==")),
    ("!=", Kind::Sign("!=")),
    ("~=", Kind::Sign("~=")),
    ("<=", Kind::Sign("<=")),
    (">=", Kind::Sign(">=")),
    ("<", Kind::Sign("<")),
    (">", Kind::Sign(">")),
    ("&&", Kind::Keyword(Keyword::And)),
    ("||", Kind::Keyword(Keyword::Or)),
    ("!", Kind::Keyword(Keyword::Not)),
    ("(", Kind::Open),
    (")", Kind::Close),
];

impl Keyword {
    /// How it is written.
    pub(super) fn text(self) -> &'static str {
        let known = KEYWORDS.iter().find(|(_, keyword)| *keyword == self);
        known.expect("every keyword has a text").0
    }
}

/// The keyword that `word` is.
pub(super) fn keyword(word: &str) -> Option<Keyword> {
    KEYWORDS.iter().find(|(text, _)| text.eq_ignore_ascii_case(word)).map(|(_, keyword)| *keyword)
}

/// What words without quotes are made of.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | ':')
}

/// Splits a text; the last token is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut cursor = Cursor { rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        while cursor.peek().is_some_and(char::is_whitespace) {
            cursor.next();
        }
        let column = cursor.column;
        let kind = cursor.token()?;
        let is_end = kind == Kind::End;
        tokens.push(Token { column, kind });
        if is_end {
            return Ok(tokens);
        }
    }
}

/// What is left to read, and where it begins.
struct Cursor<'a> {
    rest: &'a str,
    column: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.column += 1;
        Some(c)
    }

    fn token(&mut self) -> Result<Kind, Error> {
        let Some(first) = self.peek() else { return Ok(Kind::End) };
        if is_word_char(first) {
            return Ok(self.word());
        }
        if matches!(first, '"' | '\'') {
            return self.quoted().map(Kind::Quoted);
        }
        if let Some((sign, kind)) = SIGNS.iter().find(|(sign, _)| self.rest.starts_with(sign)) {
            for _ in sign.chars() {
                self.next();
            }
            return Ok(kind.clone());
        }
        let message = match first {
            '=' => "a single = is no operator; == is".into(),
            '&' => "a single & is no operator; && and AND are".into(),
            '|' => {
                "a single | is no operator; || and OR are, and a regular expression must be in quotes".into()
            }
            other => format!("{other:?} may stand only in quotes, as in hostname LIKE \"web.*\""),
        };
        Err(Error { column: self.column, message })
    }

    fn word(&mut self) -> Kind {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| is_word_char(*c)) {
            word.push(c);
            self.next();
        }
        keyword(&word).map_or(Kind::Word(word), Kind::Keyword)
    }

    /// A backslash before a quote or another backslash takes away its meaning; before anything else it is itself, so
    /// that regular expressions can be written as they are.
    fn quoted(&mut self) -> Result<String, Error> {
        let column = self.column;
        let quote = self.next();
        let mut value = String::new();
        while let Some(c) = self.next() {
            if Some(c) == quote {
                return Ok(value);
            }
            let escaped = self.peek().filter(|next| c == '\\' && matches!(next, '"' | '\'' | '\\'));
            value.push(escaped.unwrap_or(c));
            if escaped.is_some() {
                self.next();
            }
        }
        Err(Error { column, message: "the quotes that begin here are never closed".into() })
    }
}
