//! Checks a file for damage before it is used.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

/// A start spends no more than this on the check. Damage that it does not reach is found when
/// it is read.
const WITHIN: Duration = Duration::from_secs(3);
/// Steps of SQLite between two checks of the time: well below a millisecond.
const STEPS: i32 = 10_000;

/// What was found.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// All pages are sound.
    Sound,
    /// Those that could be checked in time are intact.
    Unfinished,
    /// What SQLite says of the first that is not.
    Damage(String),
}

/// Checks the pages of a database, for a few seconds at most.
pub(super) fn look(connection: &mut Connection) -> rusqlite::Result<Found> {
    let began = Instant::now();
    connection.progress_handler(STEPS, Some(move || began.elapsed() >= WITHIN))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(text) if text == "ok" => Ok(Found::Sound),
        Ok(text) => Ok(Found::Damage(text)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(Found::Unfinished)
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Ok(Found::Damage(error.to_string()))
        }
        Err(error) => Err(error),
    }
}
