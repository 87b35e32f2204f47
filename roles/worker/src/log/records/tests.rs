//! What happens to the output of processes, honest or not.

use proptest::prelude::*;

use super::*;

fn header(kind: u8, length: u32) -> Vec<u8> {
    let mut header = vec![0xa5, 0x5a, 0, kind];
    header.extend(length.to_be_bytes());
    header.extend(1_700_000_000_000_000_u64.to_be_bytes());
    header
}

fn framed(message: &str) -> Vec<u8> {
    let mut frame = header(0x0f, u32::try_from(message.len()).unwrap());
    frame.extend(message.as_bytes());
    frame
}

/// The records of `written`, given in pieces of that size.
fn cut(records: &mut Records, written: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for bytes in written.chunks(piece) {
        records.take(bytes, &mut |record| out.push(record));
    }
    out.extend(records.flush());
    out
}

fn texts(written: &[u8], piece: usize) -> Vec<String> {
    let records = cut(&mut Records::of_frames_and_lines(), written, piece);
    let text = |record| String::from_utf8(record).unwrap();
    records.into_iter().map(text).collect()
}

#[test]
fn a_frame_is_one_record_with_its_line_breaks_and_stays_in_order_with_lines() {
    let written = [
        b"printed\n".to_vec(),
        framed("first\nsecond\n"),
        b"no end".to_vec(),
        framed("{\"a\":1}"),
        framed(""),
        "¥Z\u{0}¥\n".as_bytes().to_vec(),
        b"last".to_vec(),
    ]
    .concat();
    for piece in [1, 2, 3, 5, 16, 17, 1000] {
        assert_eq!(
            texts(&written, piece),
            [
                "printed\n",
                "first\nsecond\n",
                "no end",
                "{\"a\":1}",
                "¥Z\u{0}¥\n",
                "last"
            ],
            "in pieces of {piece}"
        );
    }
}

#[test]
fn extensions_write_no_frames() {
    let written = [header(0x0f, 3).as_slice(), b"a\nb"].concat();
    let records = cut(&mut Records::of_lines(), &written, 7);
    assert_eq!(records.concat(), written);
    assert_eq!(records.last().map(Vec::as_slice), Some(b"b".as_slice()));
}

#[test]
fn a_record_too_long_is_cut_between_characters() {
    let text = "ü€😀".repeat(RECORD_BYTES_MAX / 4);
    for written in [framed(&text), text.clone().into_bytes()] {
        let records = texts(&written, 4096);
        assert_eq!(records.len(), 3);
        assert_eq!(records.concat(), text);
        for record in &records[..2] {
            assert!(record.len() <= RECORD_BYTES_MAX && record.len() > RECORD_BYTES_MAX - 4);
        }
    }
}

#[test]
fn what_is_no_text_is_cut_at_the_limit() {
    let records = cut(
        &mut Records::of_lines(),
        &vec![0x80; 2 * RECORD_BYTES_MAX],
        4096,
    );
    let lengths: Vec<_> = records.iter().map(Vec::len).collect();
    assert_eq!(lengths, [RECORD_BYTES_MAX, RECORD_BYTES_MAX]);
}

#[test]
fn what_grew_when_it_was_made_text_is_cut_again() {
    let grown = "\u{fffd}".repeat(RECORD_BYTES_MAX);
    let lengths: Vec<_> = pieces(&grown).map(str::len).collect();
    assert_eq!(lengths.iter().sum::<usize>(), grown.len());
    assert!(lengths.len() <= 4 && lengths.iter().all(|length| *length <= RECORD_BYTES_MAX));
    assert_eq!(pieces("").count(), 0);
}

#[test]
fn a_header_with_a_wrong_kind_or_an_impossible_length_is_text() {
    for wrong in [header(0x00, 3), header(0x23, 3), header(0x0f, 1 << 31)] {
        let written = [wrong.as_slice(), b"abc\n"].concat();
        let records = cut(&mut Records::of_frames_and_lines(), &written, 5);
        assert_eq!(records.concat(), written);
    }
}

#[test]
fn a_frame_whose_writer_is_gone_takes_nothing_of_the_next_process() {
    let mut records = Records::of_frames_and_lines();
    let begun = [header(0x0f, 1000).as_slice(), b"half"].concat();
    assert_eq!(cut(&mut records, &begun, 100), [b"half"]);
    records.begin_anew();
    assert_eq!(cut(&mut records, b"a\nb\n", 100), [b"a\n", b"b\n"]);
}

/// A piece of what a hostile function may write.
fn written() -> impl Strategy<Value = Vec<u8>> {
    let text = ".{0,40}\n?".prop_map(String::into_bytes);
    let good = ".{0,40}\n?.{0,40}".prop_map(|text| framed(&text));
    let lying =
        (any::<u8>(), prop_oneof![0..200_u32, any::<u32>()]).prop_map(|(k, l)| header(k, l));
    let torn = (0..16_usize).prop_map(|count| header(0x0f, 5)[..count].to_vec());
    let long = (0..3 * RECORD_BYTES_MAX, any::<u8>()).prop_map(|(count, byte)| vec![byte; count]);
    prop_oneof![8 => text, 8 => good, 4 => lying, 2 => torn, 1 => long,
        2 => proptest::collection::vec(any::<u8>(), 0..64)]
}

#[test]
fn fuzz_log_frames() {
    let input = (proptest::collection::vec(written(), 0..8), 1..5000_usize);
    fuzzing::run("log_frames", input, |(pieces, piece)| {
        let written = pieces.concat();
        let mut records = Records::of_frames_and_lines();
        let out = cut(&mut records, &written, piece);
        // No record is empty or too long, and nothing waits that has no bound.
        prop_assert!(
            out.iter()
                .all(|record| !record.is_empty() && record.len() <= RECORD_BYTES_MAX)
        );
        prop_assert!(records.partial.is_empty() && records.header.len() < HEADER_BYTES);
        // Nothing is lost or invented: but for headers, it is what was written.
        let kept: usize = out.iter().map(Vec::len).sum();
        let headers = written.windows(3).filter(|bytes| *bytes == MAGIC).count();
        let most_dropped = headers * HEADER_BYTES + records.header.len();
        prop_assert!(kept <= written.len() && kept + most_dropped >= written.len());
        // However it was cut up on its way.
        let whole = cut(
            &mut Records::of_frames_and_lines(),
            &written,
            written.len().max(1),
        );
        prop_assert_eq!(out.len(), whole.len());
        prop_assert!(out == whole, "cut differently");
        Ok(())
    });
}
