//! Statements with a constant text and parameters by name. PostgreSQL parses and plans each once for each connection;
//! diesel finds the prepared statement by its Rust type, whatever its parameters are.
//!
//! The SQL has `:name` for a parameter, as often as it needs it. [`statement!`] lists each parameter with its name, its
//! SQL type and its value, in any order: the first is PostgreSQL's `$1`. A name that is in the SQL and not in the list,
//! or in the list and not in the SQL, or there twice, is a compile error. [`filled!`] makes a text of parts.
//!
//! Lines of the SQL between `-- if NAME` and `-- end` are a section. A statement whose list ends with sections has a text for
//! each set of them, without the others and without the parameters that are in no other line: PostgreSQL opens each table
//! that a statement names, with its indexes, also where nothing is written to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

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

    /// Whether every value has the same text.
    const IS_CONSTANT: bool;

    /// Text of the statement for PostgreSQL, with all of its sections, made once for the life of the process.
    fn text() -> &'static Text;

    /// Text with the sections that this value needs.
    fn own_text(&self) -> &'static Text;

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
/// is followed by the SQL types of the columns that the statement returns, its SQL, and its [`parameters!`]; then by its
/// sections, if it has any, each with the condition under which a value needs it.
macro_rules! statement {
    ($name:ident<'_> => $($rest:tt)+) => {
        $crate::statement::statement!(@ $name<'_>, $name<'static>, $($rest)+);
    };
    ($name:ident => $($rest:tt)+) => {
        $crate::statement::statement!(@ $name, $name, $($rest)+);
    };
    (
        @ $statement:ty, $id:ty, $columns:ty, $sql:expr, $self:ident { $($parameters:tt)* }
        $(, sections { $($section:literal if $needs:expr,)+ })?
    ) => {
        $crate::statement::parameters!($self: $statement { $($parameters)* });

        impl $crate::statement::PreparedStatement for $statement {
            type Id = $id;
            type Columns = $columns;
            const IS_CONSTANT: bool = $crate::statement::is_constant!($($($section)+)?);

            fn text() -> &'static $crate::statement::Text {
                static TEXT: std::sync::LazyLock<$crate::statement::Text> = std::sync::LazyLock::new(|| {
                    $crate::statement::Text::numbered($sql, <$id as $crate::statement::Parameters>::NAMES)
                });
                &TEXT
            }

            fn own_text(&$self) -> &'static $crate::statement::Text {
                $crate::statement::own_text!($sql, <$id as $crate::statement::Parameters>::NAMES, $($($section if $needs,)+)?)
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

/// Whether a statement with these sections has one text alone.
macro_rules! is_constant {
    () => {
        true
    };
    ($($section:literal)+) => {
        false
    };
}
pub(crate) use is_constant;

/// Text with the sections that are needed; that of all values if there are no sections.
macro_rules! own_text {
    ($sql:expr, $names:expr,) => {
        Self::text()
    };
    ($sql:expr, $names:expr, $($section:literal if $needs:expr,)+) => {{
        const SECTIONS: &[&str] = &[$($section),+];
        static TEXTS: $crate::statement::Texts<{ 1 << SECTIONS.len() }> = $crate::statement::Texts::none();
        TEXTS.with($sql, $names, SECTIONS, &[$($needs),+])
    }};
}
pub(crate) use own_text;

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

/// SQL without the sections of these names. Lines of a section are between `-- if NAME` and `-- end`.
pub(crate) fn without(sql: &str, left_out: &[&str]) -> String {
    let mut is_left_out = false;
    let mut kept = String::with_capacity(sql.len());
    for line in sql.lines() {
        match line.trim_start().strip_prefix("-- if ") {
            Some(section) => is_left_out = left_out.contains(&section.trim_end()),
            None if line.trim() == "-- end" => is_left_out = false,
            None if is_left_out => {}
            None => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    kept
}

/// Texts of a statement with sections: one for each set of these, made when it is first needed.
pub(crate) struct Texts<const COUNT: usize>([OnceLock<Text>; COUNT]);

impl<const COUNT: usize> Texts<COUNT> {
    pub(crate) const fn none() -> Self {
        Self([const { OnceLock::new() }; COUNT])
    }

    /// Text of `sql` with those of its sections that are needed.
    pub(crate) fn with(&self, sql: &str, names: &[Name], sections: &[&str], needed: &[bool]) -> &Text {
        let index = needed.iter().fold(0, |index, needed| index * 2 + usize::from(*needed));
        let made = || {
            let left_out = sections.iter().zip(needed).filter(|(_, needed)| !**needed).map(|(name, _)| *name);
            Text::numbered(&without(sql, &left_out.collect::<Vec<_>>()), names)
        };
        match self.0.get(index) {
            Some(text) => text.get_or_init(made),
            None => unreachable!("there are as many texts as sets of sections"),
        }
    }
}

/// Text of a statement with numbers for names. A comment at its end lists number and name of each parameter: diesel must
/// write a number for each value that it binds, in the order of the values, and a reader of PostgreSQL's log sees which
/// number is which parameter. The text is split where diesel writes these numbers.
pub(crate) struct Text {
    first: String,
    /// Text after each parameter; `None` for one that is in none of the text, and is not bound.
    after: Vec<Option<String>>,
}

impl Text {
    /// Text with a number for each name that it has.
    pub(crate) fn numbered(sql: &str, names: &[Name]) -> Self {
        let all = || (0..).map_while(|position| nth(names, position).ok());
        let used = parameters_of(sql);
        let mut numbers = BTreeMap::new();
        for name in all().filter(|it| used.contains(it)) {
            numbers.insert(name, numbers.len() + 1);
        }
        let (mut first, mut rest) = (String::new(), sql);
        while let Some((before, name, after)) = split_at_parameter(rest) {
            let number = numbers.get(name).copied().unwrap_or_default();
            first = format!("{first}{before}${number}");
            rest = after;
        }
        first.push_str(rest);
        if !numbers.is_empty() {
            first.push_str("\n-- ");
        }
        let after = all().map(|name| numbers.contains_key(name).then(|| format!(" {name} "))).collect();
        Self { first, after }
    }
}

/// Names of the parameters in an SQL text.
fn parameters_of(mut sql: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    while let Some((_, name, after)) = split_at_parameter(sql) {
        names.insert(name);
        sql = after;
    }
    names
}

#[cfg(test)]
impl Text {
    /// The text as a whole.
    pub(crate) fn whole(&self) -> String {
        let after = self.after.iter().flatten();
        after.zip(1..).fold(self.first.clone(), |text, (after, number)| format!("{text}${number}{after}"))
    }
}

/// Receiver of a statement's parameters, in their order. One that is in none of the text is left out.
pub(crate) struct Binder<'p, 'a, 'b> {
    pass: &'p mut AstPass<'a, 'b, Pg>,
    after: std::slice::Iter<'static, Option<String>>,
}

impl<'b> Binder<'_, '_, 'b> {
    /// Binds the next parameter, of the SQL type `S`.
    pub(crate) fn value<S, T>(&mut self, value: &'b T) -> QueryResult<()>
    where
        Pg: HasSqlType<S>,
        T: ToSql<S, Pg>,
    {
        if let Some(Some(after)) = self.after.next() {
            self.pass.push_bind_param::<S, T>(value)?;
            self.pass.push_sql(after);
        }
        Ok(())
    }
}

/// Wrapper of a statement that diesel can run.
pub(crate) struct Statement<T>(pub(crate) T);

impl<T: PreparedStatement> Query for Statement<T> {
    type SqlType = T::Columns;
}

impl<T: PreparedStatement> QueryId for Statement<T> {
    type QueryId = T::Id;
    // Without a static id, the prepared statement is found by its text.
    const HAS_STATIC_QUERY_ID: bool = T::IS_CONSTANT;
}

impl<T: PreparedStatement> QueryFragment<Pg> for Statement<T> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let text = self.0.own_text();
        pass.push_sql(&text.first);
        self.0.bind(&mut Binder { pass: &mut pass, after: text.after.iter() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Text, Texts, check, split_at_parameter, without};

    const NAMES: &[Name] = &[Name::Parameter("id"), Name::Part(&[Name::Parameter("at"), Name::Parameter("id_of_it")])];

    #[test]
    fn names_become_numbers_in_the_order_of_the_values() {
        let text = Text::numbered("SELECT :at::text, :id, :id_of_it, :at", NAMES);
        assert_eq!(text.whole(), "SELECT $2::text, $1, $3, $2\n-- $1 id $2 at $3 id_of_it ");
        assert_eq!(Text::numbered("SELECT 1", &[]).whole(), "SELECT 1");
    }

    #[test]
    fn a_section_that_is_not_needed_is_left_out_with_its_parameters() {
        const SQL: &str =
            "SELECT :at\n-- if found\n, :id\n    -- if\n-- end\n  -- if named \n, :id_of_it\n  -- end\nFROM it";
        static TEXTS: Texts<4> = Texts::none();
        assert_eq!(without(SQL, &["found", "named"]), "SELECT :at\nFROM it\n");
        for (needed, expected) in [
            ([false, false], "SELECT $1\nFROM it\n\n-- $1 at "),
            ([true, false], "SELECT $2\n, $1\n    -- if\nFROM it\n\n-- $1 id $2 at "),
            ([false, true], "SELECT $1\n, $2\nFROM it\n\n-- $1 at $2 id_of_it "),
            ([true, true], "SELECT $2\n, $1\n    -- if\n, $3\nFROM it\n\n-- $1 id $2 at $3 id_of_it "),
        ] {
            for _ in 0..2 {
                assert_eq!(TEXTS.with(SQL, NAMES, &["found", "named"], &needed).whole(), expected);
            }
        }
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
