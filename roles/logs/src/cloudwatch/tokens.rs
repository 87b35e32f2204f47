//! Tokens that name where a list or a search continues. Opaque to clients; changed ones are refused.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use wire::json_rpc::JsonError;

use super::groups::invalid;
use crate::search::{Direction, Place};

/// The longest token there is: a name of 512 characters and two numbers, in base64.
const TOKEN_BYTES_MAX: usize = 4_096;

/// A position after a name.
pub(super) fn of_name(name: &str) -> String {
    BASE64.encode(name)
}

/// The opposite of [`of_name`].
pub(super) fn name(token: &str) -> Result<String, JsonError> {
    let bytes = Some(token).filter(|token| token.len() <= TOKEN_BYTES_MAX);
    let bytes = bytes.and_then(|token| BASE64.decode(token).ok());
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(wrong)
}

/// A position among streams.
pub(super) fn of_place(place: &Place) -> String {
    of_name(&format!(
        "{}/{}/{}",
        place.time, place.position, place.stream
    ))
}

/// The opposite of [`of_place`].
pub(super) fn place(token: &str) -> Result<Place, JsonError> {
    let text = name(token)?;
    let mut parts = text.splitn(3, '/');
    let time = parts.next().and_then(|part| part.parse().ok());
    let position = parts.next().and_then(|part| part.parse().ok());
    match (time, position, parts.next()) {
        (Some(time), Some(position), Some(stream)) => Ok(Place {
            time,
            position,
            stream: stream.into(),
        }),
        _ => Err(wrong()),
    }
}

/// A position in one stream and the direction to continue in: `f/…/s`, `b/…/s`.
pub(super) fn of_stream(direction: Direction, place: &Place) -> String {
    let way = match direction {
        Direction::Forward => 'f',
        Direction::Backward => 'b',
    };
    format!("{way}/{:020}{:039}/s", place.time, place.position)
}

/// The opposite of [`of_stream`], for a stream of that name.
pub(super) fn in_stream(token: &str, stream: &Arc<str>) -> Result<(Direction, Place), JsonError> {
    let (way, rest) = token.split_once('/').ok_or_else(wrong)?;
    let direction = match way {
        "f" => Direction::Forward,
        "b" => Direction::Backward,
        _ => return Err(wrong()),
    };
    let digits = rest
        .strip_suffix("/s")
        .filter(|digits| digits.len() == 59 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let (time, position) = digits.ok_or_else(wrong)?.split_at(20);
    let place = Place {
        time: time.parse().map_err(|_| wrong())?,
        position: position.parse().map_err(|_| wrong())?,
        stream: Arc::clone(stream),
    };
    Ok((direction, place))
}

fn wrong() -> JsonError {
    invalid("The specified nextToken is invalid.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_comes_back_as_it_was(time: u64, position: u128, stream: String) {
            let given = Place { time, position, stream: stream.into() };
            prop_assert_eq!(place(&of_place(&given)).unwrap(), given.clone());
            for direction in [Direction::Forward, Direction::Backward] {
                let token = of_stream(direction, &given);
                prop_assert_eq!(in_stream(&token, &given.stream).unwrap(), (direction, given.clone()));
            }
        }

        #[test]
        fn any_text_is_a_token_or_refused(text: String) {
            let _ = place(&text);
            let _ = in_stream(&text, &"s".into());
        }
    }

    #[test]
    fn fuzz_log_tokens() {
        use proptest::prelude::*;
        let inside = prop_oneof![
            any::<String>(),
            "[fb]/[0-9é]{55,62}/s?",
            "[0-9]{0,25}/[0-9]{0,45}/.{0,9}"
        ];
        fuzzing::run("log_tokens", inside, |text| {
            for token in [text.clone(), of_name(&text)] {
                drop(name(&token));
                drop(place(&token));
                drop(in_stream(&token, &"s".into()));
            }
            prop_assert_eq!(name(&of_name(&text)).ok(), Some(text));
            Ok(())
        });
    }
}
