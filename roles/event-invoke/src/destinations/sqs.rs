//! Queues: GetQueueUrl and SendMessage of SQS's query protocol, which all compatible services speak. Pure.

use super::{Call, Letter, form};
use crate::destination::Place;

const VERSION: &str = "2012-11-05";

/// Where AWS and most of its likes have a queue.
pub(super) fn usual_path(place: &Place) -> String {
    format!("/{}/{}", place.account, wire::uri::encode(&place.name))
}

/// Whether a refusal says that there is no queue at that path.
pub(super) fn is_not_there(refusal: &str) -> bool {
    refusal.contains("NonExistentQueue") || refusal.contains("status 404")
}

/// Asks where a queue is.
pub(super) fn get_queue_url(place: &Place) -> Call {
    let parameters = [
        ("Action".to_owned(), "GetQueueUrl"),
        ("Version".to_owned(), VERSION),
        ("QueueName".to_owned(), place.name.as_str()),
        ("QueueOwnerAWSAccountId".to_owned(), place.account.as_str()),
    ];
    form("sqs", &place.region, "/".to_owned(), &parameters)
}

/// The path of the URL in the answer. The host is the endpoint's: what a queue's server calls itself
/// need not be how it is reached from here.
pub(super) fn queue_path(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once("<QueueUrl>")?;
    let (url, _) = rest.split_once("</QueueUrl>")?;
    let uri: http::Uri = url.trim().replace("&amp;", "&").parse().ok()?;
    Some(uri.path().to_owned())
}

/// Puts a message in.
pub(super) fn send_message(place: &Place, path: String, letter: &Letter) -> Call {
    let mut parameters = vec![
        ("Action".to_owned(), "SendMessage"),
        ("Version".to_owned(), VERSION),
        ("MessageBody".to_owned(), letter.body.as_str()),
    ];
    for (number, (name, kind, value)) in (1..).zip(&letter.attributes) {
        let part = |part: &str| format!("MessageAttribute.{number}.{part}");
        parameters.push((part("Name"), *name));
        parameters.push((part("Value.DataType"), *kind));
        parameters.push((part("Value.StringValue"), value.as_str()));
    }
    // A poller of the queue can detect recursive loops by it.
    let trace = [
        ("Name", "AWSTraceHeader"),
        ("Value.DataType", "String"),
        ("Value.StringValue", letter.trace.as_str()),
    ];
    let trace = trace.map(|(part, value)| (format!("MessageSystemAttribute.1.{part}"), value));
    parameters.extend(trace);
    form("sqs", &place.region, path, &parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_is_taken_from_the_answer() {
        let answer = "<?xml version=\"1.0\"?><GetQueueUrlResponse><GetQueueUrlResult>\
                      <QueueUrl>http://elsewhere:9324/000000000000/q</QueueUrl></GetQueueUrlResult>";
        assert_eq!(
            queue_path(answer.as_bytes()).as_deref(),
            Some("/000000000000/q")
        );
        assert_eq!(queue_path(b"<QueueUrl>"), None);
    }

    #[test]
    fn a_refusal_tells_whether_the_queue_is_elsewhere() {
        for refusal in [
            "status 400: <Code>AWS.SimpleQueueService.NonExistentQueue</Code>",
            "status 404: Not found",
        ] {
            assert!(is_not_there(refusal));
        }
        assert!(!is_not_there("status 403: <Code>AccessDenied</Code>"));
    }

    #[test]
    fn a_message_carries_its_attributes() {
        let place = Place {
            arn: String::new(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            name: "q".to_owned(),
        };
        let letter = Letter {
            body: "{\"a\": 1}".to_owned(),
            attributes: vec![("ErrorCode", "Number", "200".to_owned())],
            trace: "Root=1-x;Lineage=a87bd80c:1".to_owned(),
        };
        let request = send_message(&place, "/000000000000/q".to_owned(), &letter);
        assert_eq!(
            request.body,
            "Action=SendMessage&Version=2012-11-05&MessageBody=%7B%22a%22%3A%201%7D\
             &MessageAttribute.1.Name=ErrorCode&MessageAttribute.1.Value.DataType=Number\
             &MessageAttribute.1.Value.StringValue=200\
             &MessageSystemAttribute.1.Name=AWSTraceHeader\
             &MessageSystemAttribute.1.Value.DataType=String\
             &MessageSystemAttribute.1.Value.StringValue=Root%3D1-x%3BLineage%3Da87bd80c%3A1"
        );
    }

    proptest! {
        #[test]
        fn no_answer_panics(answer in "(<QueueUrl>)?.{0,40}(</QueueUrl>)?") {
            let _ = queue_path(answer.as_bytes());
        }
    }
}
