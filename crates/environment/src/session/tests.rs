//! What the worker sees of a conversation.

use types::{Random as _, SystemRandom};

use super::*;

fn session() -> Arc<Session> {
    Session::new(Identity {
        function_name: "f".into(),
        function_version: "$LATEST".into(),
        handler: "h".into(),
        account_id: "000000000000".into(),
    })
}

fn event() -> InvokeEvent {
    InvokeEvent {
        request: RequestId::random(&SystemRandom),
        deadline_ms: 1,
        invoked_arn: "arn".into(),
        trace_id: "Root=1".into(),
        client_context: None,
        payload: Bytes::from_static(b"{}"),
    }
}

#[tokio::test]
async fn an_invoke_given_early_is_delivered_when_the_runtime_asks() {
    let session = session();
    let ready = session.begin_init(vec![]);
    let first_wait = session.runtime_next().unwrap();
    assert_eq!(ready.end.await, Ok(InitEnd::Ready));

    let first = session.begin_invoke(event()).unwrap();
    let delivered = first_wait.await.unwrap();
    let answer = session.answer_begins(delivered.request).unwrap();
    session.answer_ends(delivered.request);
    answer
        .send(Answer::Error {
            error_type: "x".into(),
            body: Bytes::new(),
        })
        .unwrap();
    assert!(matches!(first.answer.await, Ok(Answer::Error { .. })));

    let mut second = session.begin_invoke(event()).unwrap();
    assert!(second.started.try_recv().is_err());
    let second_wait = session.runtime_next().unwrap();
    assert_eq!(first.done.await, Ok(()));
    assert_eq!(second.started.await, Ok(()));
    assert!(second_wait.await.is_ok());
}

#[tokio::test]
async fn a_stopped_session_closes_everything_under_way() {
    let session = session();
    let ready = session.begin_init(vec![]);
    let wait = session.runtime_next().unwrap();
    ready.end.await.unwrap();
    let invoked = session.begin_invoke(event()).unwrap();
    let delivered = wait.await.unwrap();
    session.stop();
    assert!(invoked.answer.await.is_err());
    assert!(invoked.done.await.is_err());
    assert!(session.answer_begins(delivered.request).is_err());
    assert!(session.begin_invoke(event()).is_err());
}

#[tokio::test]
async fn an_invoke_taken_back_is_never_delivered() {
    let session = session();
    let _ready = session.begin_init(vec![]);
    let wait = session.runtime_next().unwrap();
    let first = session.begin_invoke(event()).unwrap();
    let delivered = wait.await.unwrap();
    let _answer = session.answer_begins(delivered.request).unwrap();
    session.answer_ends(delivered.request);
    let second = event();
    let id = second.request;
    let invoked = session.begin_invoke(second).unwrap();
    assert!(session.cancel(id));
    let mut wait = session.runtime_next().unwrap();
    assert_eq!(first.done.await, Ok(()));
    assert!(wait.try_recv().is_err());
    assert!(invoked.answer.await.is_err());
}

#[tokio::test]
async fn the_runtime_may_start_when_all_external_extensions_have_registered() {
    let session = session();
    let none = session.begin_init(vec![]);
    assert_eq!(none.registered.await, Ok(()));
    let mut two = session.begin_init(vec!["a".into(), "b".into()]);
    let register = |name| {
        session
            .register(SystemRandom.uuid(), name, (true, false))
            .unwrap()
    };
    register("a");
    assert!(two.registered.try_recv().is_err());
    register("b");
    assert_eq!(two.registered.await, Ok(()));
}

#[tokio::test]
async fn an_extension_that_hung_up_before_the_shutdown_is_told_when_it_asks_again() {
    let session = session();
    let _init = session.begin_init(vec!["a".into()]);
    let id = SystemRandom.uuid();
    session.register(id, "a", (false, true)).unwrap();
    drop(session.extension_next(id).unwrap());
    session.begin_shutdown(ShutdownReason::Spindown, 9);
    let told = session.extension_next(id).unwrap().await;
    assert!(matches!(told, Ok(ExtensionEvent::Shutdown { .. })));
    let mut again = session.extension_next(id).unwrap();
    assert!(again.try_recv().is_err());
}
