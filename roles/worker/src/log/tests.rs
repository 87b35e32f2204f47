//! What happens to lines.

use std::io::Write as _;

use ::records::functions::{LogFormat, Logging};
use tokio::net::unix::pipe;
use types::{ManualClock, RequestId, Timestamp};

use super::*;

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Logs for Kept {
    fn append(&self, _: &StreamName, events: Vec<LogEvent>) {
        self.0
            .lock()
            .unwrap()
            .extend(events.into_iter().map(|event| event.message));
    }
}

fn outlet() -> (Outlet, Output) {
    let (reader, writer) = io::pipe().unwrap();
    let output = pipe::Receiver::from_owned_fd(reader.into()).unwrap();
    (Outlet::Pipe(Arc::new(writer.into())), Output::Pipe(output))
}

/// What a process has of an outlet.
fn file(outlet: Outlet) -> std::fs::File {
    let Outlet::Pipe(pipe) = outlet else {
        panic!("it is a pipe's");
    };
    pipe.try_clone().unwrap().into()
}

fn log(logging: &Logging) -> (Arc<Kept>, EnvironmentLog) {
    let kept = Arc::new(Kept::default());
    let scope = ::records::examples::scope();
    let stream = StreamName {
        scope,
        group: "g".into(),
        stream: "s".into(),
    };
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1)));
    let logs = Arc::clone(&kept) as Arc<dyn Logs>;
    let how = (Format::of(logging), Arc::new(Pace::new(1 << 30)));
    let log = EnvironmentLog::new(logs, clock, stream, how, (Hub::new(), outlet()));
    (kept, log)
}

fn end() -> Event {
    Event::End(RequestId::from_uuid(uuid::Uuid::nil()))
}

const END: &str = "END RequestId: 00000000-0000-0000-0000-000000000000\n";

#[tokio::test]
async fn what_was_printed_before_stands_before_the_platforms_line() {
    let (kept, log) = log(&Logging::default());
    let mut output = file(log.output());
    let mut extension = file(log.extension_output(|| Ok(outlet())).unwrap());
    output.write_all(b"one\ntwo\nthree").unwrap();
    extension.write_all(b"from outside").unwrap();
    // The reactor must have seen the pipes once before reads are tried.
    log.function.output.readable().await.unwrap();
    let source = log.extensions.borrow().clone();
    any_readable(source.as_deref()).await.unwrap();
    log.platform([end()]);
    assert_eq!(
        *kept.0.lock().unwrap(),
        ["one\n", "two\n", "three", "from outside", END]
    );
}

#[tokio::test]
async fn a_frame_of_the_runtime_is_one_event() {
    let (kept, log) = log(&Logging::default());
    let frame = b"\xa5\x5a\x00\x0f\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x01a\nb";
    file(log.output()).write_all(frame).unwrap();
    log.function.output.readable().await.unwrap();
    log.platform([end()]);
    assert_eq!(*kept.0.lock().unwrap(), ["a\nb", END]);
}

#[tokio::test]
async fn the_tail_begins_with_a_whole_character() {
    let (_kept, log) = log(&Logging::default());
    log.begin_tail();
    log.platform([
        Event::Fault("ü".repeat(3_000)),
        Event::Fault("x".to_owned()),
    ]);
    let tail = String::from_utf8(log.take_tail().unwrap()).unwrap();
    assert_eq!(tail.len(), LOG_TAIL_BYTES_MAX - 1);
}

#[tokio::test]
async fn the_tail_is_the_last_four_kilobytes_since_it_began() {
    let (_kept, log) = log(&Logging::default());
    log.platform([Event::Fault("before\n".to_owned())]);
    log.begin_tail();
    log.platform([Event::Fault("x".repeat(5_000)), end()]);
    let tail = String::from_utf8(log.take_tail().unwrap()).unwrap();
    assert_eq!(tail.len(), LOG_TAIL_BYTES_MAX);
    assert!(tail.ends_with(&format!("x{END}")) && !tail.contains("before"));
    assert!(log.take_tail().is_none());
}

#[tokio::test]
async fn a_log_in_json_has_events_from_its_level_on() {
    let logging = Logging {
        format: LogFormat::Json,
        system_level: Some("WARN".to_owned()),
        ..Logging::default()
    };
    let (kept, log) = log(&logging);
    let dropped = Event::LogsDropped {
        reason: "r",
        records: 1,
        bytes: 2,
    };
    log.platform([end(), dropped, Event::Fault("plain\n".to_owned())]);
    assert_eq!(
        *kept.0.lock().unwrap(),
        [
            "{\"record\":{\"droppedBytes\":2,\"droppedRecords\":1,\"reason\":\"r\"},\
             \"time\":\"1970-01-01T00:00:00.001Z\",\"type\":\"platform.logsDropped\"}\n",
            "plain\n"
        ]
    );
}
