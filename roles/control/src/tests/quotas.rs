//! Nothing that an account makes grows without a bound.

use serde_json::{Value, json};
use wire::sigv4::Signer;

use super::harness::{FUNCTIONS, World, create, signer};

#[tokio::test]
async fn a_request_with_a_name_twice_makes_nothing() {
    let world = World::new();
    let body = create("f").to_string();
    let twice = body.replacen('{', r#"{"FunctionName":"g","#, 1);
    let deep = body.replacen(r#""Code":{"#, r#""Code":{"ZipFile":"","#, 1);
    for text in [twice, deep] {
        assert_ne!(text, body);
        let root: Signer<'_> = signer("AKIATEST", "secret");
        let answer = world.send(&root, "POST", FUNCTIONS, text.as_bytes()).await;
        answer.refused(400, "SerializationException", "a name is there twice");
    }
    let listed = world.call("GET", FUNCTIONS, Value::Null).await;
    assert_eq!(listed.body["Functions"], json!([]));
}
