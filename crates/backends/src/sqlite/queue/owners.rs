//! How much is kept for each owner: counted in memory, and written in the transaction that changes it. So it
//! is right after any crash, without counting again.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use storage::queue::{Charge, Usage, beginnings};
use types::Timestamp;

use crate::sqlite::query::{signed, unsigned};

/// See the module. What happens in a transaction that fails is forgotten.
pub(super) struct Owners {
    /// By number. Order never matters, here and below.
    owners: HashMap<i64, Owner>,
    numbers: HashMap<String, i64>,
    /// By each beginning of an owner's path.
    sums: HashMap<String, Usage>,
    /// Owners this transaction changes, and how they were before it; `None`: it has made them.
    before: HashMap<i64, Option<Usage>>,
    next: i64,
}

struct Owner {
    name: String,
    usage: Usage,
}

impl Owners {
    /// As they are in the file.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut owners = Self {
            owners: HashMap::new(),
            numbers: HashMap::new(),
            sums: HashMap::new(),
            before: HashMap::new(),
            next: 1,
        };
        let mut select = connection.prepare("SELECT id, name, messages, bytes FROM owners")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (number, name): (i64, String) = (row.get(0)?, row.get(1)?);
            let usage = Usage {
                messages: unsigned(row.get(2)?),
                bytes: unsigned(row.get(3)?),
            };
            owners.next = owners.next.max(number.saturating_add(1));
            owners.insert(number, name);
            owners.set(number, usage);
        }
        Ok(owners)
    }

    /// Whether one more message of that size is within the bounds.
    pub(super) fn has_room(&self, charge: &Charge, bytes: u64) -> bool {
        charge.bounds.iter().all(|bound| {
            let kept = self.sums.get(&bound.of).copied().unwrap_or_default();
            kept.with(bytes).fits(bound.most)
        })
    }

    /// The number of an owner, which is made if there is none.
    pub(super) fn find(&mut self, connection: &Connection, name: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = self.next;
        connection
            .prepare_cached("INSERT INTO owners (id, name, messages, bytes) VALUES (?1, ?2, 0, 0)")?
            .execute(params![number, name])?;
        self.next += 1;
        self.insert(number, name.to_owned());
        self.before.insert(number, None);
        Ok(number)
    }

    /// One message more.
    pub(super) fn more(&mut self, owner: i64, bytes: u64) {
        self.change(owner, |usage| usage.with(bytes));
    }

    /// One message less.
    pub(super) fn less(&mut self, owner: i64, bytes: u64) {
        self.change(owner, |usage| less(usage, one(bytes)));
    }

    /// Writes what the transaction has changed. Owners that have nothing any more are removed.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        for number in self.before.keys() {
            let usage = self.owners.get(number).map(|owner| owner.usage);
            let usage = usage.unwrap_or_default();
            if usage == Usage::default() && *number != 0 {
                connection
                    .prepare_cached("DELETE FROM owners WHERE id = ?1")?
                    .execute([number])?;
                continue;
            }
            connection
                .prepare_cached("UPDATE owners SET messages = ?2, bytes = ?3 WHERE id = ?1")?
                .execute(params![number, signed(usage.messages), signed(usage.bytes)])?;
        }
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        let changed: Vec<i64> = self.before.drain().map(|(number, _)| number).collect();
        for number in changed.into_iter().filter(|number| *number != 0) {
            let empty = |owner: &Owner| owner.usage == Usage::default();
            if self.owners.get(&number).is_some_and(empty) {
                self.remove(number);
            }
        }
    }

    /// Nothing of the transaction happened.
    pub(super) fn forget(&mut self) {
        let changed: Vec<(i64, Option<Usage>)> = self.before.drain().collect();
        for (number, before) in changed {
            self.set(number, before.unwrap_or_default());
            if before.is_none() {
                self.remove(number);
            }
        }
    }

    fn change(&mut self, number: i64, change: impl FnOnce(Usage) -> Usage) {
        let Some(owner) = self.owners.get(&number) else {
            // Only a damaged file has messages of nobody.
            return;
        };
        let usage = owner.usage;
        self.before.entry(number).or_insert(Some(usage));
        self.set(number, change(usage));
    }

    fn insert(&mut self, number: i64, name: String) {
        self.numbers.insert(name.clone(), number);
        let usage = Usage::default();
        self.owners.insert(number, Owner { name, usage });
    }

    fn remove(&mut self, number: i64) {
        if let Some(owner) = self.owners.remove(&number) {
            self.numbers.remove(&owner.name);
        }
    }

    /// Sets what an owner has, in all the sums that it is in.
    fn set(&mut self, number: i64, usage: Usage) {
        let Some(owner) = self.owners.get_mut(&number) else {
            return;
        };
        let before = std::mem::replace(&mut owner.usage, usage);
        for part in beginnings(&owner.name) {
            let sum = self.sums.get(part).copied().unwrap_or_default();
            let sum = less(sum, before);
            let sum = Usage {
                messages: sum.messages.saturating_add(usage.messages),
                bytes: sum.bytes.saturating_add(usage.bytes),
            };
            match sum == Usage::default() {
                true => drop(self.sums.remove(part)),
                false => drop(self.sums.insert(part.to_owned(), sum)),
            }
        }
    }
}

fn one(bytes: u64) -> Usage {
    Usage::default().with(bytes)
}

fn less(usage: Usage, by: Usage) -> Usage {
    Usage {
        messages: usage.messages.saturating_sub(by.messages),
        bytes: usage.bytes.saturating_sub(by.bytes),
    }
}

/// See [`storage::Queue::usage`].
pub(super) fn usage(connection: &Connection) -> rusqlite::Result<Vec<(String, Usage)>> {
    connection
        .prepare_cached("SELECT name, messages, bytes FROM owners WHERE id > 0 ORDER BY name")?
        .query_map([], |row| {
            let usage = Usage {
                messages: unsigned(row.get(1)?),
                bytes: unsigned(row.get(2)?),
            };
            Ok((row.get(0)?, usage))
        })?
        .collect()
}

/// An owner's messages that are seen only after a time.
pub(super) fn seen_after(
    connection: &Connection,
    owner: &str,
    late: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    let number: Option<i64> = connection
        .prepare_cached("SELECT id FROM owners WHERE name = ?1")?
        .query_row([owner], |row| row.get(0))
        .optional()?;
    let Some(number) = number else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached("SELECT id FROM messages WHERE owner = ?1 AND visible_from > ?2")?
        .query_map(params![number, signed(late.as_millis())], |row| row.get(0))?
        .collect()
}
