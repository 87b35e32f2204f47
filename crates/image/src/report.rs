//! What a confined process reports about its task, as bytes. It must not be trusted any more than
//! the package itself.

use std::io;

use types::limits::UNZIPPED_BYTES_MAX;

use crate::error::{Error, Problem};

/// Longest report, bytes.
pub(crate) const REPORT_BYTES_MAX: usize = 4_096;

/// Writes down how a task went.
pub(crate) fn encode(outcome: &Result<(), Error>) -> Vec<u8> {
    let text = match outcome {
        Ok(()) => "done".to_owned(),
        Err(Error::NotAZip) => "no-zip".to_owned(),
        Err(Error::TooLarge { .. }) => "too-large".to_owned(),
        Err(Error::BadEntry { name, problem }) => {
            let number = Problem::ALL.iter().position(|known| known == problem);
            format!("entry {} {name}", number.unwrap_or_default())
        }
        Err(Error::NoRoom) => "no-room".to_owned(),
        Err(Error::Cache(error)) => format!("errno {}", error.raw_os_error().unwrap_or_default()),
        Err(error) => format!("other {error}"),
    };
    text.into_bytes()
}

/// Reads what [`encode`] wrote, or anything else.
pub(crate) fn decode(report: &[u8]) -> Result<(), Error> {
    let broken = |why: &str| Err(Error::Cache(io::Error::other(why.to_owned())));
    let Ok(text) = std::str::from_utf8(report) else {
        return broken("its process wrote something that is not UTF-8");
    };
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "done" => Ok(()),
        "no-zip" => Err(Error::NotAZip),
        "too-large" => Err(Error::TooLarge {
            limit: UNZIPPED_BYTES_MAX,
        }),
        "entry" => {
            let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
            let number = number.parse::<usize>().ok();
            match number.and_then(|number| Problem::ALL.get(number)) {
                Some(problem) => Err(Error::bad_entry(name, *problem)),
                None => broken("its process named a problem there is not"),
            }
        }
        "no-room" => Err(Error::NoRoom),
        "errno" => match rest.parse::<i32>() {
            Ok(errno) if errno > 0 => Err(io::Error::from_raw_os_error(errno).into()),
            _ => broken("its process could not continue"),
        },
        "" => broken("its process ended without a word"),
        _ => broken("its process could not continue"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        let all = Problem::ALL.map(|problem| Error::bad_entry("a\nb é", problem));
        let others = [
            Error::NotAZip,
            Error::TooLarge {
                limit: UNZIPPED_BYTES_MAX,
            },
            Error::NoRoom,
        ];
        for error in all.into_iter().chain(others) {
            let told = error.to_string();
            let read = decode(&encode(&Err(error))).unwrap_err();
            assert_eq!(read.to_string(), told);
        }
        assert!(decode(&encode(&Ok(()))).is_ok());
        let full = Error::from(io::Error::from_raw_os_error(28));
        assert!(matches!(full, Error::NoRoom));
        let lost = decode(&encode(&Err(io::Error::from_raw_os_error(5).into())));
        assert!(matches!(lost, Err(Error::Cache(_))));
    }

    #[test]
    fn a_report_that_is_none_is_a_failure() {
        for report in [
            &b""[..],
            b"\xff",
            b"entry 99 x",
            b"errno",
            b"donee",
            b"errno -3",
        ] {
            assert!(decode(report).is_err(), "{report:?}");
        }
    }
}
