use std::fmt::Display;

use paywright_domain::id::Epoch;
use paywright_domain::{Currency, Money, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::Version;

/// Why a stored column cannot be restored, or a value cannot be stored in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{table} {column}: {problem}")]
pub struct ColumnError {
    /// Table of the column.
    pub table: &'static str,
    /// Name of the column; `(row)` where several columns contradict each other.
    pub column: &'static str,
    /// Problem of the value.
    pub problem: String,
}

/// Reader of one column, whose errors name the table and the column.
#[derive(Debug, Clone, Copy)]
pub struct Column(pub &'static str, pub &'static str);

impl Column {
    /// Value that was converted, or the error of the conversion.
    pub fn read<T, E: Display>(self, value: Result<T, E>) -> Result<T, ColumnError> {
        value.map_err(|problem| ColumnError { table: self.0, column: self.1, problem: problem.to_string() })
    }

    /// Value that must be there.
    pub fn found<T>(self, value: Option<T>) -> Result<T, ColumnError> {
        self.read(value.ok_or("is a value that is never written"))
    }

    /// Number of at most 32 bits.
    pub fn count(self, value: i64) -> Result<u32, ColumnError> {
        self.read(u32::try_from(value))
    }

    /// Version of an order or a cart.
    pub fn version(self, value: i64) -> Result<Version, ColumnError> {
        self.count(value).map(Version)
    }

    /// Epoch, or none in rows from before there were epochs.
    pub fn epoch(self, value: Option<i64>) -> Result<Option<Epoch>, ColumnError> {
        value.map(|it| self.count(it).map(Epoch)).transpose()
    }

    /// Time of microseconds since 1970.
    pub fn time(self, micros: i64) -> Result<Timestamp, ColumnError> {
        self.read(Timestamp::from_unix_micros(micros))
    }

    /// Amount of minor units.
    pub fn money(self, minor: i64, currency: Currency) -> Result<Money, ColumnError> {
        self.read(Money::new(minor, currency))
    }

    /// Value of a JSON document.
    pub fn json<T: DeserializeOwned>(self, document: &str) -> Result<T, ColumnError> {
        self.read(serde_json::from_str(document))
    }

    /// JSON document of a value. These are plain data of the domain, for which this cannot fail; if it did, nothing would
    /// be written.
    pub fn document(self, value: &impl Serialize) -> Result<String, ColumnError> {
        self.read(serde_json::to_string(value))
    }
}

/// JSON document of a value, for a column of any name.
pub fn document(value: &impl Serialize) -> Result<String, ColumnError> {
    Column("(any)", "payload").document(value)
}
