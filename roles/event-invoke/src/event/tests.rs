//! What is put in comes out, and nothing that comes out of a queue panics.

use api::events::Accept;
use proptest::prelude::*;
use types::FunctionName;

use super::*;

/// An event for the function `f`, accepted at `accepted` seconds.
pub(crate) fn event(payload: &str, accepted: u64) -> Item {
    let scope = records::examples::scope();
    let accept = Accept {
        request: RequestId::from_uuid(Default::default()),
        arn: FunctionArn {
            scope,
            name: FunctionName::new("f").unwrap(),
            qualifier: None,
        },
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        trace: "Root=1-0-0".to_owned(),
        function: None,
    };
    Item::new(accept, Timestamp::from_millis(accepted * 1_000), None)
}

#[test]
fn a_body_is_read_as_it_was_written_whatever_is_around_the_json() {
    let mut item = event(" {\"a\":\n1} \n", 5);
    item.event.ran(
        Version::Published(7),
        true,
        Bytes::from("{\"errorMessage\":\"no\"}\n"),
    );
    item.stage = Stage::Deliver(Delivery {
        condition: Condition::RetriesExhausted,
        decided: Timestamp::from_millis(9),
        since: Timestamp::from_millis(9),
        to: Vec::new(),
        role: "r\n".to_owned(),
        tries: 2,
        refusal: None,
    });
    assert_eq!(Item::decode(&item.encode()).unwrap(), item);
    assert_eq!(item.event.state.last.unwrap().message, "no");
}

#[test]
fn a_body_of_another_form_is_told_apart() {
    let body = Bytes::from("{\"v\":2,\"event\":{},\"payload_bytes\":0,\"stage\":null}\n");
    assert!(matches!(Item::decode(&body), Err(Error::Form { form: 2 })));
    let whole = event("{\"a\":1}", 3).encode();
    let short = whole.slice(..whole.len() - 1);
    assert!(matches!(Item::decode(&short), Err(Error::Shape)));
}

#[test]
fn a_response_too_large_to_be_kept_is_left_out() {
    let mut item = event("{}", 0);
    item.event.ran(
        Version::Latest,
        false,
        Bytes::from(vec![b'1'; BODY_BYTES_MAX]),
    );
    assert!(item.event.response.is_empty());
    assert!(item.encode().len() < BODY_BYTES_MAX);
}

#[test]
fn a_long_message_is_cut_between_characters() {
    assert_eq!(cut(&"ä".repeat(1_000)).len(), MESSAGE_BYTES_MAX);
    assert_eq!(
        cut(&format!("x{}", "ä".repeat(1_000))).len(),
        MESSAGE_BYTES_MAX - 1
    );
}

proptest! {
    #[test]
    fn what_is_put_in_comes_out(payload in prop::collection::vec(any::<u8>(), 0..200),
                                response in prop::collection::vec(any::<u8>(), 0..200),
                                failed in any::<bool>()) {
        let mut item = event("", 1);
        item.event.payload = payload.into();
        item.event.ran(Version::Latest, failed, response.into());
        prop_assert_eq!(Item::decode(&item.encode()).unwrap(), item);
    }

    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200), cut_at in 0_usize..400) {
        let _ = Item::decode(&Bytes::from(body.clone()));
        let mut whole = event("{\"a\":1}", 3).encode().to_vec();
        whole.truncate(cut_at);
        whole.extend(body);
        let _ = Item::decode_head(&whole);
        let _ = Item::decode(&Bytes::from(whole));
    }
}

#[test]
fn fuzz_event_bodies() {
    use proptest::prelude::*;
    // What is in the file may be anything; so may be what is left of a body of ours.
    let ours = (
        ".{0,40}",
        any::<prop::sample::Index>(),
        any::<u8>(),
        0..4_usize,
    );
    let input = (prop::collection::vec(any::<u8>(), 0..200), ours);
    fuzzing::run(
        "event_bodies",
        input,
        |(bytes, (payload, at, byte, how))| {
            drop(Item::decode(&Bytes::from(bytes.clone())));
            drop(Item::decode_head(&bytes));
            let item = event(&payload, 1);
            let mut body = item.encode().to_vec();
            prop_assert_eq!(Item::decode(&Bytes::from(body.clone())).ok(), Some(item));
            let at = at.index(body.len());
            match how {
                0 => body.truncate(at),
                1 => body[at] = byte,
                2 => body.insert(at, byte),
                _ => drop(body.remove(at)),
            }
            drop(Item::decode(&Bytes::from(body.clone())));
            drop(Item::decode_head(&body));
            Ok(())
        },
    );
}
