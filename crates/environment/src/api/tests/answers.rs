//! Answers that are streamed, and answers that are too large.

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use types::limits::STREAMED_RESPONSE_BYTES_MAX;

use super::{read, running, server};
use crate::session::{Answer, AnswerBody};

#[tokio::test]
async fn a_streamed_answer_arrives_in_pieces_and_may_fail_in_the_middle() {
    let server = server().await;
    let running = running(&server, "{}").await;
    let id = running.id;
    let mut stream = server
        .send(&format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n\
             lambda-runtime-function-response-mode: streaming\r\ncontent-type: text/plain\r\n\
             trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\
             transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        ))
        .await;
    let Answer::Result {
        content_type,
        body: AnswerBody::Stream(mut pieces),
    } = running.invoked.answer.await.unwrap()
    else {
        panic!("a streamed answer");
    };
    assert_eq!(content_type.as_deref(), Some("text/plain"));
    assert_eq!(pieces.recv().await, Some(Ok(Bytes::from_static(b"first"))));
    stream
        .write_all(
            b"0\r\nLambda-Runtime-Function-Error-Type: Function.Oops\r\n\
              Lambda-Runtime-Function-Error-Body: e30=\r\n\r\n",
        )
        .await
        .unwrap();
    let error = ("Function.Oops".to_owned(), Bytes::from_static(b"{}"));
    assert_eq!(pieces.recv().await, Some(Err(error)));
    assert_eq!(pieces.recv().await, None);
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn a_stream_over_its_own_limit_ends_with_an_error_that_names_it() {
    let server = server().await;
    let running = running(&server, "{}").await;
    let id = running.id;
    let mut stream = server
        .send(&format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n\
             lambda-runtime-function-response-mode: streaming\r\ncontent-length: 300000000\r\n\r\n"
        ))
        .await;
    let writing = tokio::spawn(async move {
        let piece = vec![b'1'; 1_000_000];
        for _ in 0..300 {
            // It is cut off once it is too much.
            if stream.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let Answer::Result {
        body: AnswerBody::Stream(mut pieces),
        ..
    } = running.invoked.answer.await.unwrap()
    else {
        panic!("a streamed answer");
    };
    let limit = usize::try_from(STREAMED_RESPONSE_BYTES_MAX).unwrap();
    let mut passed = 0;
    let (error_type, body) = loop {
        match pieces.recv().await.expect("an error before the end") {
            Ok(piece) => passed += piece.len(),
            Err(error) => break error,
        }
    };
    assert!(passed <= limit, "{passed}");
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains(&limit.to_string()), "{body}");
    writing.await.unwrap();
}

#[tokio::test]
async fn a_result_over_the_limit_is_an_error_that_names_the_limit() {
    let server = server().await;
    let running = running(&server, "{}").await;
    let id = running.id;
    let mut stream = server
        .send(&format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n\
             content-length: 7000000\r\n\r\n"
        ))
        .await;
    stream.write_all(&vec![b'1'; 7_000_000]).await.unwrap();
    // The runtime gets to read why it was refused.
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 413"));
    match running.invoked.answer.await.unwrap() {
        Answer::Error { error_type, body } => {
            assert_eq!(error_type, "Function.ResponseSizeTooLarge");
            let body = String::from_utf8_lossy(&body).into_owned();
            assert!(body.contains("size (6291556 bytes)"), "{body}");
        }
        other => panic!("{other:?}"),
    }
}
