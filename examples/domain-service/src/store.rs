use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use paywright_domain::{Decision, Fact, Order, OrderId, Task};
use serde::{Deserialize, Serialize};

/// Orders in one JSON file, by id. The file is replaced whole, so that a decision is stored whole or not at all.
pub struct Store {
    file: PathBuf,
}

/// Stored order, with its history and the tasks that are not done, by their keys.
#[derive(Serialize, Deserialize)]
pub struct Row {
    /// Number of commits.
    pub version: u64,
    pub order: Order,
    pub facts: Vec<Fact>,
    pub tasks: BTreeMap<String, Task>,
}

impl Store {
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    pub fn load(&self, id: OrderId) -> Result<Row, Box<dyn Error>> {
        self.rows()?.remove(&id).ok_or_else(|| format!("there is no order {id}").into())
    }

    /// Commits `decision` if `version` is still the order's: 0 for a new one. Otherwise the caller loads and decides
    /// again.
    pub fn commit(&self, version: u64, decision: Decision) -> Result<(), Box<dyn Error>> {
        let Decision { order, facts, tasks, finished } = decision;
        let (mut rows, id) = (self.rows()?, order.id);
        let mut row = rows.remove(&id).unwrap_or(Row {
            version: 0,
            order: order.clone(),
            facts: Vec::new(),
            tasks: BTreeMap::new(),
        });
        if row.version != version {
            return Err(format!("order {id} has changed since version {version}").into());
        }
        row.tasks.retain(|key, _| !finished.iter().any(|it| it.as_str() == key));
        row.tasks.extend(tasks.into_iter().map(|it| (it.key().to_string(), it)));
        row.facts.extend(facts);
        rows.insert(id, Row { version: version + 1, order, ..row });
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(&rows)?)?;
        Ok(fs::rename(new, &self.file)?)
    }

    fn rows(&self) -> Result<BTreeMap<OrderId, Row>, Box<dyn Error>> {
        match fs::read(&self.file) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}
