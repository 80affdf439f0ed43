//! Statements with a constant text and parameters by name. PostgreSQL parses and plans each once for each connection;
//! diesel finds the prepared statement by its Rust type, whatever its parameters are.
//!
//! The SQL has `:name` for a parameter, as often as it needs it. [`statement!`] lists each parameter with its name, its
//! SQL type and its value, in any order: the first is PostgreSQL's `$1`. A name that is in the SQL and not in the list,
//! or in the list and not in the SQL, or there twice, is a compile error. [`filled!`] makes a text of parts.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

/// Statement with a constant text: the text, its parameters, the columns that it returns. [`statement!`] implements it.
pub(crate) trait PreparedStatement {
    /// Type by which diesel finds the prepared statement: the statement itself with a `'static` lifetime.
    type Id: 'static;
    /// SQL types of the columns that it returns.
    type Columns;

    /// Text of the statement for PostgreSQL, made once for the life of the process.
    fn text() -> &'static Text;

    /// Binds the values of its parameters, `$1` first.
    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()>;
}

/// Parameters of a statement, or of a part of it that several statements share. [`parameters!`] implements it.
pub(crate) trait Parameters {
    /// Names of the parameters, in the order in which they are bound.
    const NAMES: &'static [Name];

    /// Binds the values of the parameters, `$1` first.
    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()>;
}

/// Name of a parameter, or the names of a part.
pub(crate) enum Name {
    Parameter(&'static str),
    Part(&'static [Name]),
}

/// Implements [`Parameters`]. Parts with parameters of their own come last, after `..`.
macro_rules! parameters {
    ($self:ident: $target:ty {
        $($name:ident: $sql_type:ty = $value:expr,)*
        $(..$part:ident = $part_value:expr,)*
    }) => {
        impl $crate::statement::Parameters for $target {
            const NAMES: &'static [$crate::statement::Name] = &[
                $($crate::statement::Name::Parameter(stringify!($name)),)*
                $($crate::statement::Name::Part(<$part as $crate::statement::Parameters>::NAMES),)*
            ];

            fn bind<'b>(&'b $self, to: &mut $crate::statement::Binder<'_, '_, 'b>) -> diesel::QueryResult<()> {
                $(to.value::<$sql_type, _>(&$value)?;)*
                $($crate::statement::Parameters::bind(&$part_value, to)?;)*
                let _ = &to;
                Ok(())
            }
        }
    };
}
pub(crate) use parameters;

/// Implements [`PreparedStatement`], and checks that the names in the SQL and those of the parameters agree. The type
/// is followed by the SQL types of the columns that the statement returns, its SQL, and its [`parameters!`].
macro_rules! statement {
    ($name:ident<'_> => $($rest:tt)+) => {
        $crate::statement::statement!(@ $name<'_>, $name<'static>, $($rest)+);
    };
    ($name:ident => $($rest:tt)+) => {
        $crate::statement::statement!(@ $name, $name, $($rest)+);
    };
    (@ $statement:ty, $id:ty, $columns:ty, $sql:expr, $self:ident { $($parameters:tt)* }) => {
        $crate::statement::parameters!($self: $statement { $($parameters)* });

        impl $crate::statement::PreparedStatement for $statement {
            type Id = $id;
            type Columns = $columns;

            fn text() -> &'static $crate::statement::Text {
                static TEXT: std::sync::LazyLock<$crate::statement::Text> = std::sync::LazyLock::new(|| {
                    $crate::statement::Text::numbered($sql, <$id as $crate::statement::Parameters>::NAMES)
                });
                &TEXT
            }

            fn bind<'b>(&'b self, to: &mut $crate::statement::Binder<'_, '_, 'b>) -> diesel::QueryResult<()> {
                $crate::statement::Parameters::bind(self, to)
            }
        }

        const _: () = $crate::statement::check(
            stringify!($statement),
            $sql,
            <$id as $crate::statement::Parameters>::NAMES,
        );
    };
}
pub(crate) use statement;

/// Fills in an SQL text: replaces each `{mark}` by its text, all of them constants.
macro_rules! filled {
    ($sql:expr, $($mark:literal => $text:expr),+) => {{
        const SQL: &str = $sql;
        const TEXTS: &[(&str, &str)] = &[$(($mark, $text)),+];
        const FILLED: [u8; $crate::statement::length_filled(SQL, TEXTS)] = $crate::statement::fill(SQL, TEXTS);
        match str::from_utf8(&FILLED) {
            Ok(text) => text,
            Err(_) => panic!("a mark is no UTF-8"),
        }
    }};
}
pub(crate) use filled;

/// Length of a text that is filled in.
pub(crate) const fn length_filled(sql: &str, texts: &[(&str, &str)]) -> usize {
    let (mut length, mut rest) = (0, sql.as_bytes());
    while !rest.is_empty() {
        let (part, after) = next_part(rest, texts);
        (length, rest) = (length + part.len(), after);
    }
    length
}

/// Text that is filled in, of its own length.
pub(crate) const fn fill<const LENGTH: usize>(sql: &str, texts: &[(&str, &str)]) -> [u8; LENGTH] {
    let mut filled = [0; LENGTH];
    let (mut to, mut rest) = (filled.as_mut_slice(), sql.as_bytes());
    while !rest.is_empty() {
        let (part, after) = next_part(rest, texts);
        (to, rest) = (put(to, part), after);
    }
    filled
}

/// Text of the mark at the start of `rest`, or its first byte, and what follows.
const fn next_part<'a>(rest: &'a [u8], mut texts: &'a [(&'a str, &'a str)]) -> (&'a [u8], &'a [u8]) {
    if let [b'{', ..] = rest {
        while let [(mark, text), others @ ..] = texts {
            if let Some((start, after)) = rest.split_at_checked(mark.len())
                && is_same(start, mark.as_bytes())
            {
                return (text.as_bytes(), after);
            }
            texts = others;
        }
    }
    rest.split_at(1)
}

/// Panics unless each name in the SQL is that of a parameter, and each parameter is in the SQL and has its own name.
pub(crate) const fn check(statement: &str, sql: &str, names: &[Name]) {
    let (mut used, mut rest) = (0_u128, sql);
    while let Some((_, name, after)) = split_at_parameter(rest) {
        match number(names, name, 0) {
            Ok(number) => used |= 1 << number,
            Err(_) => fail(statement, name, "` is in the SQL, but has no value"),
        }
        rest = after;
    }
    let mut position = 0;
    while let Ok(name) = nth(names, position) {
        if !matches!(number(names, name, 0), Ok(first) if first == position) {
            fail(statement, name, "` has two values");
        }
        if used & (1 << position) == 0 {
            fail(statement, name, "` has a value, but is not in the SQL");
        }
        position += 1;
    }
}

/// Splits SQL at its first parameter: the text before, the name, and the text after it. A colon in a type cast, in
/// quotes or in a comment is no parameter.
const fn split_at_parameter(sql: &str) -> Option<(&str, &str, &str)> {
    let mut rest = sql.as_bytes();
    loop {
        rest = match rest {
            [] => return None,
            [b'\'', after @ ..] => skip_past(after, b"'"),
            [b'"', after @ ..] => skip_past(after, b"\""),
            [b'-', b'-', after @ ..] => skip_past(after, b"\n"),
            [b'/', b'*', after @ ..] => skip_past(after, b"*/"),
            [b'$', ..] => panic!("the SQL has a `$`, but parameters have names, and quotes are `'`"),
            [b':', b'a'..=b'z' | b'_', ..] => break,
            [b':', b':', after @ ..] | [_, after @ ..] => after,
        };
    }
    let (before, from) = sql.split_at(sql.len() - rest.len());
    let (_colon, from) = from.split_at(1);
    let (name, after) = from.split_at(length_of_name(from.as_bytes()));
    Some((before, name, after))
}

const fn length_of_name(mut rest: &[u8]) -> usize {
    let mut length = 0;
    while let [b'a'..=b'z' | b'0'..=b'9' | b'_', after @ ..] = rest {
        (length, rest) = (length + 1, after);
    }
    length
}

/// Text after the next `end`, or the empty text.
const fn skip_past<'a>(mut rest: &'a [u8], end: &[u8]) -> &'a [u8] {
    while let [_, after @ ..] = rest {
        if let Some((start, after_end)) = rest.split_at_checked(end.len())
            && is_same(start, end)
        {
            return after_end;
        }
        rest = after;
    }
    rest
}

const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([one, left_after @ ..], [other, right_after @ ..]) = (left, right) {
        if *one != *other {
            return false;
        }
        (left, right) = (left_after, right_after);
    }
    left.is_empty() && right.is_empty()
}

/// Position of a parameter among `names`, of which the first has the position `next`, or the position after them.
const fn number(mut names: &[Name], sought: &str, mut next: usize) -> Result<usize, usize> {
    while let [name, after @ ..] = names {
        next = match name {
            Name::Parameter(name) if is_same(name.as_bytes(), sought.as_bytes()) => return Ok(next),
            Name::Parameter(_) => next + 1,
            Name::Part(part) => match number(part, sought, next) {
                Ok(number) => return Ok(number),
                Err(next) => next,
            },
        };
        names = after;
    }
    Err(next)
}

/// Name of the parameter at a position, or the part of the position that is beyond `names`.
const fn nth(mut names: &[Name], mut position: usize) -> Result<&'static str, usize> {
    while let [name, after @ ..] = names {
        position = match name {
            Name::Parameter(name) if position == 0 => return Ok(name),
            Name::Parameter(_) => position - 1,
            Name::Part(part) => match nth(part, position) {
                Ok(name) => return Ok(name),
                Err(beyond) => beyond,
            },
        };
        names = after;
    }
    Err(position)
}

/// Panics with the name of the statement and of the parameter: a constant cannot format them.
const fn fail(statement: &str, name: &str, problem: &str) -> ! {
    let mut message = [b' '; 256];
    let to = put(put(&mut message, statement.as_bytes()), b": the parameter `:");
    put(put(to, name.as_bytes()), problem.as_bytes());
    match str::from_utf8(message.trim_ascii_end()) {
        Ok(message) => panic!("{}", message),
        Err(_) => panic!("a statement and its parameters do not agree"),
    }
}

/// Writes `part` at the start of `to`, and returns the rest of it.
const fn put<'a>(to: &'a mut [u8], part: &[u8]) -> &'a mut [u8] {
    let (here, after) = to.split_at_mut(part.len());
    here.copy_from_slice(part);
    after
}

/// Text of a statement with numbers for names. A comment at its end lists number and name of each parameter: diesel must
/// write a number for each value that it binds, in the order of the values, and a reader of PostgreSQL's log sees which
/// number is which parameter. The text is split where diesel writes these numbers.
pub(crate) struct Text(Vec<String>);

impl Text {
    /// Text with a number for each name.
    pub(crate) fn numbered(sql: &str, names: &[Name]) -> Self {
        let (mut text, mut rest) = (String::new(), sql);
        while let Some((before, name, after)) = split_at_parameter(rest) {
            let number = number(names, name, 1).unwrap_or_default();
            text = format!("{text}{before}${number}");
            rest = after;
        }
        text.push_str(rest);
        let mut parts = vec![text];
        parts.extend((0..).map_while(|position| nth(names, position).ok()).map(|name| format!(" {name} ")));
        if let [text, _, ..] = parts.as_mut_slice() {
            text.push_str("\n-- ");
        }
        Self(parts)
    }
}

#[cfg(test)]
impl Text {
    /// The text as a whole.
    pub(crate) fn whole(&self) -> String {
        let mut parts = self.0.iter();
        let first = parts.next().cloned().unwrap_or_default();
        parts.zip(1..).fold(first, |text, (part, number)| format!("{text}${number}{part}"))
    }
}

/// Receiver of a statement's parameters, in their order.
pub(crate) struct Binder<'p, 'a, 'b> {
    pass: &'p mut AstPass<'a, 'b, Pg>,
    parts: std::slice::Iter<'static, String>,
}

impl<'b> Binder<'_, '_, 'b> {
    /// Binds the next parameter, of the SQL type `S`.
    pub(crate) fn value<S, T>(&mut self, value: &'b T) -> QueryResult<()>
    where
        Pg: HasSqlType<S>,
        T: ToSql<S, Pg>,
    {
        self.pass.push_bind_param::<S, T>(value)?;
        self.text();
        Ok(())
    }

    fn text(&mut self) {
        if let Some(part) = self.parts.next() {
            self.pass.push_sql(part);
        }
    }
}

/// Wrapper of a statement that diesel can run.
pub(crate) struct Statement<T>(pub(crate) T);

impl<T: PreparedStatement> Query for Statement<T> {
    type SqlType = T::Columns;
}

impl<T: PreparedStatement> QueryId for Statement<T> {
    type QueryId = T::Id;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<T: PreparedStatement> QueryFragment<Pg> for Statement<T> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Text(parts) = T::text();
        let mut binder = Binder { pass: &mut pass, parts: parts.iter() };
        binder.text();
        self.0.bind(&mut binder)
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Text, check, split_at_parameter};

    const NAMES: &[Name] = &[Name::Parameter("id"), Name::Part(&[Name::Parameter("at"), Name::Parameter("id_of_it")])];

    #[test]
    fn names_become_numbers_in_the_order_of_the_values() {
        let text = Text::numbered("SELECT :at::text, :id, :id_of_it, :at", NAMES);
        assert_eq!(text.whole(), "SELECT $2::text, $1, $3, $2\n-- $1 id $2 at $3 id_of_it ");
        assert_eq!(Text::numbered("SELECT 1", &[]).whole(), "SELECT 1");
    }

    #[test]
    fn a_colon_in_a_cast_in_quotes_or_in_a_comment_is_no_parameter() {
        for sql in
            ["it::text", "':id'", "'it''s :id'", "\":id\"", "-- it's :id\n", "-- :id", "/* ' :id */", "it[1 : 2]"]
        {
            let sql = format!("{sql} :at");
            let found = split_at_parameter(&sql).map(|(_, name, _)| name);
            assert_eq!(found, (!sql.starts_with("-- :id")).then_some("at"), "{sql}");
        }
    }

    #[test]
    fn marks_are_replaced_by_their_texts() {
        const FILLED: &str = filled!("INSERT {columns}{more} '{}' {columns}", "{columns}" => "a, b", "{more}" => "");
        assert_eq!(FILLED, "INSERT a, b '{}' a, b");
    }

    #[test]
    fn a_name_without_a_value_and_an_unused_value_are_refused() {
        const TWICE: &[Name] = &[Name::Parameter("id"), Name::Part(NAMES)];
        for (sql, names, problem) in [
            (":id :at :id_of_it :id", NAMES, None),
            (":id :at :id_of_i", NAMES, Some("Pay: the parameter `:id_of_i` is in the SQL, but has no value")),
            (":id :id_of_it", NAMES, Some("Pay: the parameter `:at` has a value, but is not in the SQL")),
            (":id :at :id_of_it", TWICE, Some("Pay: the parameter `:id` has two values")),
            ("$1", NAMES, Some("the SQL has a `$`, but parameters have names, and quotes are `'`")),
        ] {
            let checked = std::panic::catch_unwind(|| check("Pay", sql, names));
            let found = checked.err().and_then(|it| {
                let constant = it.downcast_ref::<&str>().map(ToString::to_string);
                it.downcast_ref::<String>().cloned().or(constant)
            });
            assert_eq!(found.as_deref(), problem, "{sql}");
        }
    }
}
