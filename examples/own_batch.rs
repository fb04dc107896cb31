//! An output of one's own that sends many records at once: capacity, batches, retries and the account are the crate's.
//!
//! `cargo run --example own_batch`

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::{error, info};
use tracing_strata::{
    Error,
    output::{Answer, Attempt, Batch, Batched, Verdict},
    prelude::*,
    record::OwnedRecord,
};
use tracing_subscriber::prelude::*;

/// A table of a database: inserts many rows by one call, and says which of them it refuses.
struct Table(Database);

impl Batch for Table {
    fn send(&self, records: &[OwnedRecord], _: &Attempt) -> Answer {
        let rows = records.iter().map(|record| (record.severity().number(), record.message().to_owned())).collect();
        match self.0.insert(rows) {
            Err(away) => Answer::retry(Error::with_source("the database is away", away)),
            Ok(answers) => {
                let verdict = |answer| match answer {
                    Ok(()) => Verdict::Accepted,
                    Err(why) => Verdict::Refused(Error::new(why)),
                };
                Answer::Each(answers.into_iter().map(verdict).collect())
            }
        }
    }
}

fn main() -> Result<(), Error> {
    let database = Database::default();
    let layer = Batched::builder(Table(database.clone())).name("table").max_batch(100).build()?.into_layer();
    let ledger = layer.ledger();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        info!("opened");
        error!("a row that is much too long for its column");
        info!("closed");
    });

    // The subscriber is gone, and all is at its place: the first attempt failed, and one row was refused.
    println!("{:?}\n{}", database.0.lock().unwrap().rows, ledger.stats());
    assert_eq!((ledger.stats().written, ledger.stats().failed), (2, 1));
    Ok(())
}

// --- the database

#[derive(Clone, Default)]
struct Database(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_up: bool,
    rows: Vec<(i32, String)>,
}

impl Database {
    /// Is up from the second call on.
    fn insert(&self, rows: Vec<(i32, String)>) -> io::Result<Vec<Result<(), &'static str>>> {
        let mut state = self.0.lock().unwrap();
        if !std::mem::replace(&mut state.is_up, true) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let mut insert = |row: (i32, String)| {
            if row.1.len() > 40 {
                return Err("value too long");
            }
            state.rows.push(row);
            Ok(())
        };
        Ok(rows.into_iter().map(&mut insert).collect())
    }
}
