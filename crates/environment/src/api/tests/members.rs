//! `null`, empty and absent members and headers, told apart as Go does it.

use super::*;

const NAME: &str = "Lambda-Extension-Name: ext\r\n";

fn first_line(reply: &str) -> &str {
    reply.lines().next().unwrap_or_default()
}

/// A registration with that body, as one of the first things that happen.
async fn register(headers: &str, body: &str) -> (Server, String) {
    let server = server().await;
    let _init = server.session.begin_init(vec!["ext".into()]);
    let path = "/2020-01-01/extension/register";
    let reply = server.ask(&post(path, headers, body)).await;
    (server, reply)
}

#[tokio::test]
async fn a_registration_is_read_as_go_reads_it() {
    for (body, events) in [
        ("{}", vec![]),
        ("null", vec![]),
        (r#"{"events":null}"#, vec![]),
        (r#"{"events":[]}"#, vec![]),
        (r#"{"events":null,"configurationKeys":null}"#, vec![]),
        (
            r#"{"events":["INVOKE"],"configurationKeys":[]}"#,
            vec!["INVOKE"],
        ),
        (r#"{"EVENTS":["INVOKE"],"other":{}}"#, vec!["INVOKE"]),
        (
            r#"{"events":["INVOKE"],"events":["SHUTDOWN"]}"#,
            vec!["SHUTDOWN"],
        ),
    ] {
        let (server, reply) = register(NAME, body).await;
        assert_eq!(first_line(&reply), "HTTP/1.1 200 OK", "{body}: {reply}");
        assert_eq!(
            server.session.extensions().all,
            [("ext".into(), events)],
            "{body}"
        );
    }
    for (body, named) in [
        ("", "InvalidRequestFormat"),
        ("[]", "InvalidRequestFormat"),
        (r#""""#, "InvalidRequestFormat"),
        (r#"{"events":""}"#, "InvalidRequestFormat"),
        (r#"{"events":{}}"#, "InvalidRequestFormat"),
        (r#"{"events":[1]}"#, "InvalidRequestFormat"),
        (r#"{"events":[null]}"#, "Extension.InvalidEventType"),
        (r#"{"events":[""]}"#, "Extension.InvalidEventType"),
        (r#"{"events":["invoke"]}"#, "Extension.InvalidEventType"),
        (r#"{"configurationKeys":["a"]}"#, "InvalidRequestFormat"),
        (r#"{"configurationKeys":""}"#, "InvalidRequestFormat"),
    ] {
        let (server, reply) = register(NAME, body).await;
        assert_eq!(
            first_line(&reply),
            "HTTP/1.1 403 Forbidden",
            "{body}: {reply}"
        );
        assert!(reply.contains(named), "{body}: {reply}");
        assert_eq!(server.session.extensions().all, [], "{body}");
    }
}

#[tokio::test]
async fn an_empty_header_is_an_absent_one() {
    for (headers, status, said) in [
        ("", 403, "Extension.InvalidExtensionName"),
        (
            "Lambda-Extension-Name:\r\n",
            403,
            "Extension.InvalidExtensionName",
        ),
        (
            "Lambda-Extension-Name: ext\r\nLambda-Extension-Accept-Feature:\r\n",
            200,
            "\"handler\":\"h.g\"}",
        ),
        (
            "Lambda-Extension-Name: ext\r\nLambda-Extension-Accept-Feature: x, accountId\r\n",
            200,
            "accountId",
        ),
    ] {
        let (_, reply) = register(headers, "{}").await;
        assert!(
            first_line(&reply).contains(&status.to_string()),
            "{headers}: {reply}"
        );
        assert!(reply.contains(said), "{headers}: {reply}");
    }
    let (server, reply) = register(NAME, "{}").await;
    let id = identifier(&reply);
    let report = |headers: &str| post("/2020-01-01/extension/init/error", headers, "{}");
    for (headers, said) in [
        (String::new(), "Extension.MissingExtensionIdentifier"),
        (
            "Lambda-Extension-Identifier:\r\n".into(),
            "Extension.MissingExtensionIdentifier",
        ),
        (
            "Lambda-Extension-Identifier: x\r\n".into(),
            "Extension.InvalidExtensionIdentifier",
        ),
        (id.clone(), "Extension.MissingHeader"),
        (
            format!("{id}Lambda-Extension-Function-Error-Type:\r\n"),
            "Extension.MissingHeader",
        ),
        (
            format!("{id}Lambda-Extension-Function-Error-Type: Extension.X\r\n"),
            "OK",
        ),
    ] {
        let reply = server.ask(&report(&headers)).await;
        assert!(reply.contains(said), "{headers}: {reply}");
    }
}

#[tokio::test]
async fn empty_headers_of_an_answer_are_none() {
    let server = server().await;
    let told = running(&server, "{}").await;
    let path = format!("/2018-06-01/runtime/invocation/{}/response", told.id);
    let empty = "Lambda-Runtime-Function-Response-Mode:\r\nContent-Type:\r\n";
    let reply = server.ask(&post(&path, empty, "1")).await;
    assert_eq!(first_line(&reply), "HTTP/1.1 202 Accepted", "{reply}");
    match told.invoked.answer.await.unwrap() {
        Answer::Result {
            content_type: None,
            body: AnswerBody::Full(body),
        } => assert_eq!(body, "1"),
        other => panic!("{other:?}"),
    }
}

/// The error type of a failed invoke: of the header, else of the body, else unknown.
#[tokio::test]
async fn an_error_type_is_looked_for_where_one_is() {
    const HEADER: &str = "Lambda-Runtime-Function-Error-Type:";
    for (header, body, named) in [
        (String::new(), r#"{"errorType":"A"}"#, "A"),
        (format!("{HEADER}\r\n"), r#"{"errorType":"A"}"#, "A"),
        (
            format!("{HEADER} Function.B\r\n"),
            r#"{"errorType":"A"}"#,
            "Function.B",
        ),
        (String::new(), r#"{"errorType":null}"#, "Function.Unknown"),
        (String::new(), r#"{"errorType":""}"#, "Function.Unknown"),
        (
            String::new(),
            r#"{"errorMessage":null,"stackTrace":null}"#,
            "Function.Unknown",
        ),
        (String::new(), "null", "Function.Unknown"),
        (String::new(), "", "Function.Unknown"),
    ] {
        let server = server().await;
        let told = running(&server, "{}").await;
        let path = format!("/2018-06-01/runtime/invocation/{}/error", told.id);
        server.ask(&post(&path, &header, body)).await;
        match told.invoked.answer.await.unwrap() {
            Answer::Error {
                error_type,
                body: same,
            } => {
                assert_eq!(
                    (error_type.as_str(), same),
                    (named, Bytes::from(body)),
                    "{header}{body}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

fn identifier(reply: &str) -> String {
    let id = reply
        .lines()
        .find_map(|l| l.strip_prefix("lambda-extension-identifier: "));
    format!("Lambda-Extension-Identifier: {}\r\n", id.unwrap())
}

#[tokio::test]
async fn after_the_shutdown_event_an_extension_waits() {
    let (server, reply) = register(NAME, r#"{"events":["SHUTDOWN"]}"#).await;
    let next = format!(
        "GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: x\r\n{}\r\n",
        identifier(&reply)
    );
    server
        .session
        .begin_shutdown(crate::ShutdownReason::Spindown, 9);
    assert!(server.ask(&next).await.contains("SHUTDOWN"));
    let mut again = server.send(&next).await;
    let mut byte = [0];
    let answered = tokio::time::timeout(Duration::from_millis(200), again.read(&mut byte)).await;
    assert!(answered.is_err(), "{answered:?}");
    server.session.stop();
    assert!(read(&mut again).await.starts_with("HTTP/1.1 410"));
}
