//! Owns the reading of a rule's text into its tree.
//!
//! ```text
//! rules   = item { AND item } | expr
//! item    = PREFER ( unary | "(" expr ")" ) [ weight ] | unary
//! expr    = both { OR both }
//! both    = unary { AND unary }
//! unary   = NOT unary | "(" expr ")" | prefix | key operator [ value ]
//! prefix  = ( AND | OR ) "(" expr ")" "(" expr ")" { "(" expr ")" }
//!         | UNIQUE key | ( LIKE | EQUAL | CONTAINS ) key value
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lexer::{Keyword, Kind, Token, tokens};
use super::tree::{Comparison, Expr, Key, Op, Preference, Test, WEIGHT_DEFAULT};
use super::{Error, Rules, check_test, count, weight};
use crate::limits::{CONSTRAINT_BYTES_MAX, CONSTRAINT_DEPTH_MAX, CONSTRAINT_TESTS_MAX};

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Rules, Error> {
    if text.len() > CONSTRAINT_BYTES_MAX {
        return Err(Error { column: 1, message: too_long(text.len()) });
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, tests: 0 };
    let rules = parser.rules()?;
    parser.expect_end()?;
    // What is printed may be longer than what was read: it must be readable again.
    let longest = rules.texts().map(|text| text.len()).max().unwrap_or(0);
    if longest > CONSTRAINT_BYTES_MAX {
        return Err(Error { column: 1, message: too_long(longest) });
    }
    Ok(rules)
}

/// What is said of a rule of too many bytes.
pub(super) fn too_long(bytes: usize) -> String {
    format!(
        "takes {bytes} bytes written out, and {CONSTRAINT_BYTES_MAX} at most may be: say it in several rules"
    )
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Of NOT and parentheses around the present token.
    depth: usize,
    tests: usize,
}

impl Parser {
    fn kind(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn column(&self) -> usize {
        self.tokens[self.at].column
    }

    /// The present token; the last one stays.
    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let is_there = self.kind() == kind;
        if is_there {
            self.advance();
        }
        is_there
    }

    fn take_keyword(&mut self, keyword: Keyword) -> bool {
        self.take(&Kind::Keyword(keyword))
    }

    /// An error at the present token: what was expected, and what is there.
    fn unexpected<T>(&self, expected: &str) -> Result<T, Error> {
        let found = match self.kind() {
            Kind::Word(word) => format!("{word:?}"),
            Kind::Quoted(word) => format!("the text {word:?}"),
            Kind::Keyword(keyword) => keyword.text().into(),
            Kind::Open => "(".into(),
            Kind::Close => ")".into(),
            Kind::Sign(sign) => (*sign).into(),
            Kind::End => "the end".into(),
        };
        self.fail(format!("{expected} is expected here, and {found} found"))
    }

    fn fail<T>(&self, message: String) -> Result<T, Error> {
        Err(Error { column: self.column(), message })
    }

    fn expect_end(&self) -> Result<(), Error> {
        match self.kind() {
            Kind::End => Ok(()),
            Kind::Close => self.fail("this ) closes nothing".into()),
            Kind::Keyword(Keyword::Or) => self.fail("PREFER cannot be part of an OR".into()),
            _ => self.unexpected("AND, OR or the end"),
        }
    }

    fn rules(&mut self) -> Result<Rules, Error> {
        if matches!(self.kind(), Kind::End) {
            return self.fail("there is no rule: write one, such as hostname UNIQUE".into());
        }
        let mut parts = Vec::new();
        let mut preferred = Vec::new();
        loop {
            if self.take_keyword(Keyword::Prefer) {
                preferred.push(self.preference()?);
            } else {
                parts.push(self.unary()?);
            }
            if !self.take_keyword(Keyword::And) {
                break;
            }
        }
        if preferred.is_empty() && self.take_keyword(Keyword::Or) {
            parts = Vec::from([self.any(Expr::all(parts))?]);
        }
        let required = parts.into_iter().flat_map(Expr::into_conjuncts).collect();
        Ok(Rules { required, preferred })
    }

    /// Its outermost parentheses do not count as nesting, since printing may have to add them.
    fn preference(&mut self) -> Result<Preference, Error> {
        let open = self.column();
        let expr = if self.take(&Kind::Open) { self.closed(open)? } else { self.unary()? };
        let weight = match self.kind() {
            Kind::Word(word) => match weight(word) {
                Ok(weight) => weight,
                Err(message) => return self.fail(message),
            },
            _ => return Ok(Preference { expr, weight: WEIGHT_DEFAULT }),
        };
        self.advance();
        Ok(Preference { expr, weight })
    }

    fn expr(&mut self) -> Result<Expr, Error> {
        let first = self.both()?;
        if self.take_keyword(Keyword::Or) { self.any(first) } else { Ok(first) }
    }

    /// What follows the first OR.
    fn any(&mut self, first: Expr) -> Result<Expr, Error> {
        let mut parts = Vec::from([first, self.both()?]);
        while self.take_keyword(Keyword::Or) {
            parts.push(self.both()?);
        }
        Ok(Expr::any(parts))
    }

    fn both(&mut self) -> Result<Expr, Error> {
        let mut parts = Vec::from([self.unary()?]);
        while self.take_keyword(Keyword::And) {
            parts.push(self.unary()?);
        }
        Ok(Expr::all(parts))
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        let token = self.advance();
        match token.kind {
            Kind::Keyword(Keyword::Not) => {
                self.deeper(token.column)?;
                let inner = self.unary()?;
                self.depth -= 1;
                Ok(Expr::Not(Box::new(inner)))
            }
            Kind::Open => self.nested(token.column),
            Kind::Word(name) | Kind::Quoted(name) => self.infix(token.column, &name),
            Kind::Keyword(keyword) => self.prefix(token.column, keyword),
            Kind::Close | Kind::Sign(_) | Kind::End => {
                self.at -= usize::from(token.kind != Kind::End);
                self.unexpected("a rule, such as hostname UNIQUE,")
            }
        }
    }

    fn deeper(&mut self, column: usize) -> Result<(), Error> {
        self.depth += 1;
        if self.depth <= CONSTRAINT_DEPTH_MAX {
            return Ok(());
        }
        let message = format!("NOT and parentheses nest more than {CONSTRAINT_DEPTH_MAX} deep here");
        Err(Error { column, message })
    }

    /// What follows an opening parenthesis, and its closing one.
    fn nested(&mut self, open: usize) -> Result<Expr, Error> {
        self.deeper(open)?;
        let expr = self.closed(open)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn closed(&mut self, open: usize) -> Result<Expr, Error> {
        let expr = self.expr()?;
        if self.take(&Kind::Close) {
            return Ok(expr);
        }
        self.unexpected(&format!("AND, OR or the ) for the ( in column {open}"))
    }

    fn prefix(&mut self, column: usize, keyword: Keyword) -> Result<Expr, Error> {
        let op: fn(String) -> Op = match keyword {
            Keyword::And | Keyword::Or => {
                let parts = self.operands(keyword)?;
                return Ok(if keyword == Keyword::And { Expr::all(parts) } else { Expr::any(parts) });
            }
            Keyword::Unique => {
                let key = self.key()?;
                return self.test(column, column, key, Op::Unique);
            }
            Keyword::Like => Op::Search,
            Keyword::Equal => Op::Equal,
            Keyword::Contains => Op::Contains,
            Keyword::Prefer => {
                let message = "PREFER stands only at the top, beside rules that are joined by AND";
                return Err(Error { column, message: message.into() });
            }
            Keyword::Not
            | Keyword::Cluster
            | Keyword::GroupBy
            | Keyword::MaxPer
            | Keyword::Unlike
            | Keyword::Is => {
                let word = keyword.text();
                let message = format!(
                    "{word} stands after a key, as in rack {word} …; a key of that name is attribute.{word}"
                );
                return Err(Error { column, message });
            }
        };
        let key = self.key()?;
        let (at, value) = self.value(keyword.text())?;
        self.test(column, at, key, op(value))
    }

    /// `(expr) (expr)` and more, after a leading AND or OR.
    fn operands(&mut self, keyword: Keyword) -> Result<Vec<Expr>, Error> {
        let mut parts = Vec::new();
        while matches!(self.kind(), Kind::Open) {
            let open = self.advance().column;
            parts.push(self.nested(open)?);
        }
        if parts.len() >= 2 {
            return Ok(parts);
        }
        let word = keyword.text();
        self.unexpected(&format!("a rule before {word}, or two in parentheses after it,"))
    }

    fn key(&mut self) -> Result<Key, Error> {
        match self.kind() {
            Kind::Word(name) | Kind::Quoted(name) => match Key::named(name) {
                Ok(key) => {
                    self.advance();
                    Ok(key)
                }
                Err(message) => self.fail(format!("{name:?} {message}")),
            },
            _ => self.unexpected("a key, such as hostname,"),
        }
    }

    fn infix(&mut self, column: usize, name: &str) -> Result<Expr, Error> {
        let key =
            Key::named(name).map_err(|message| Error { column, message: format!("{name:?} {message}") })?;
        let token = self.advance();
        let (at, op) = match token.kind {
            Kind::Keyword(keyword) => self.keyword_operator(&token, keyword)?,
            Kind::Sign(sign) => {
                let (at, value) = self.value(sign)?;
                (at, sign_operator(sign, value))
            }
            _ => return Err(self.no_operator(&token)),
        };
        self.test(column, at, key, op)
    }

    fn no_operator(&self, token: &Token) -> Error {
        let mut message =
            "an operator is expected here: UNIQUE, LIKE, UNLIKE, CLUSTER, GROUP_BY, MAX_PER, IS, \
            CONTAINS, ==, !=, ~=, <, <=, > or >="
                .into();
        if let Kind::Word(word) = &token.kind {
            message = format!("{message}; {word:?} is none");
        }
        Error { column: token.column, message }
    }

    /// The operator that `keyword`, which stands in `token`, is between a key and a value, and the column of its value.
    fn keyword_operator(&mut self, token: &Token, keyword: Keyword) -> Result<(usize, Op), Error> {
        let column = token.column;
        let op: fn(String) -> Op = match keyword {
            Keyword::Unique => return Ok((column, Op::Unique)),
            Keyword::Cluster => {
                let value = self.optional_value();
                return Ok(
                    value.map_or((column, Op::Cluster(None)), |(at, value)| (at, Op::Cluster(Some(value))))
                );
            }
            Keyword::GroupBy => {
                let Some((at, value)) = self.optional_value() else { return Ok((column, Op::GroupBy(None))) };
                let groups = count(&value, "GROUP_BY").map_err(|message| Error { column: at, message })?;
                return Ok((at, Op::GroupBy(Some(groups))));
            }
            Keyword::MaxPer => {
                let (at, value) = self.value("MAX_PER")?;
                let most = count(&value, "MAX_PER").map_err(|message| Error { column: at, message })?;
                return Ok((at, Op::MaxPer(most)));
            }
            Keyword::Like => Op::Like,
            Keyword::Unlike => Op::Unlike,
            Keyword::Is => Op::Is,
            Keyword::Equal => Op::Equal,
            Keyword::Contains => Op::Contains,
            Keyword::And | Keyword::Or | Keyword::Not | Keyword::Prefer => {
                return Err(self.no_operator(token));
            }
        };
        let (at, value) = self.value(keyword.text())?;
        Ok((at, op(value)))
    }

    fn value(&mut self, operator: &str) -> Result<(usize, String), Error> {
        if let Some(value) = self.optional_value() {
            return Ok(value);
        }
        if let Kind::Keyword(keyword) = self.kind() {
            let word = keyword.text();
            return self.fail(format!("{operator} needs a value; {word} is one only in quotes"));
        }
        self.unexpected(&format!("a value for {operator}"))
    }

    fn optional_value(&mut self) -> Option<(usize, String)> {
        let (Kind::Word(value) | Kind::Quoted(value)) = self.kind().clone() else { return None };
        Some((self.advance().column, value))
    }

    /// `begin` is the column of the rule, `at` of what would be wrong about the value.
    fn test(&mut self, begin: usize, at: usize, key: Key, op: Op) -> Result<Expr, Error> {
        self.tests += 1;
        if self.tests > CONSTRAINT_TESTS_MAX {
            let message =
                format!("one text may hold {CONSTRAINT_TESTS_MAX} rules: the others belong into a second");
            return Err(Error { column: begin, message });
        }
        let test = Test { key, op };
        check_test(&test).map_err(|message| Error { column: at, message })?;
        Ok(Expr::Test(test))
    }
}

/// The operator that `sign` is.
pub(super) fn sign_operator(sign: &str, value: String) -> Op {
    match sign {
        "==" => Op::Equal(value),
        "!=" => Op::Unequal(value),
        "~=" => Op::Search(value),
        "<" => Op::Compare(Comparison::Less, value),
        "<=" => Op::Compare(Comparison::LessOrEqual, value),
        ">" => Op::Compare(Comparison::Greater, value),
        _ => Op::Compare(Comparison::GreaterOrEqual, value),
    }
}
