//! Statements with a constant text. PostgreSQL parses and plans each once for each connection; diesel finds the prepared
//! statement by its Rust type, whatever its parameters are.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

/// Statement with a constant text: the text, its parameters, the columns that it returns.
pub(crate) trait PreparedStatement {
    /// Type by which diesel finds the prepared statement: the statement itself with a `'static` lifetime.
    type Id: 'static;
    /// SQL types of the columns that it returns.
    type Columns;

    /// Text of the statement.
    fn text() -> &'static Text;

    /// Binds its parameters, `$1` first.
    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()>;
}

/// Text of a statement, split at the first occurrence of each parameter. The first occurrences must be in the order of
/// the parameters' numbers; later occurrences may be anywhere.
pub(crate) struct Text(Vec<&'static str>);

impl Text {
    /// Splits `text`.
    pub(crate) fn of(text: &'static str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let name = format!("${}", parts.len() + 1);
            let followed = |it: &str| it.starts_with(|digit: char| digit.is_ascii_digit());
            let found = rest.match_indices(name.as_str()).find_map(|(at, _)| {
                let (before, after) = rest.split_at_checked(at)?;
                let after = after.strip_prefix(name.as_str())?;
                (!followed(after)).then_some((before, after))
            });
            let Some((before, after)) = found else { break };
            parts.push(before);
            rest = after;
        }
        parts.push(rest);
        Self(parts)
    }
}

#[cfg(test)]
impl Text {
    /// The text as a whole.
    pub(crate) fn whole(&self) -> String {
        let mut parts = self.0.iter();
        let first = parts.next().copied().unwrap_or_default().to_owned();
        parts.zip(1..).fold(first, |text, (part, number)| format!("{text}${number}{part}"))
    }
}

/// Defines the text of a statement, split once for the life of the process.
macro_rules! text {
    ($($part:expr),+ $(,)?) => {{
        static TEXT: std::sync::LazyLock<$crate::statement::Text> =
            std::sync::LazyLock::new(|| $crate::statement::Text::of(concat!($($part),+)));
        std::sync::LazyLock::force(&TEXT)
    }};
}
pub(crate) use text;

/// Receiver of a statement's parameters, in their order.
pub(crate) struct Binder<'p, 'a, 'b> {
    pass: &'p mut AstPass<'a, 'b, Pg>,
    parts: std::slice::Iter<'static, &'static str>,
}

impl<'b> Binder<'_, '_, 'b> {
    /// Binds the next parameter, of the SQL type `S`.
    pub(crate) fn value<S, T>(&mut self, value: &'b T) -> QueryResult<()>
    where
        Pg: HasSqlType<S>,
        T: ToSql<S, Pg>,
    {
        self.text();
        self.pass.push_bind_param::<S, T>(value)
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
        self.0.bind(&mut binder)?;
        binder.text();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn a_text_is_split_at_the_first_use_of_each_parameter() {
        let Text(parts) = Text::of("a $1 b $1 c $2::text $10 $1 $3");
        assert_eq!(parts, ["a ", " b $1 c ", "::text $10 $1 ", ""]);
    }
}
