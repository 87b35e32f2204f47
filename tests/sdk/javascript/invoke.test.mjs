import assert from "node:assert/strict";
import { test } from "node:test";
import * as lambda from "@aws-sdk/client-lambda";
import { create, eventually, invoke, refused, send, text, unbase64 } from "./suite.mjs";

test("results, errors and logs", async (test) => {
  const FunctionName = await create(test);
  const answer = await invoke(FunctionName, { a: [1, null] }, { LogType: "Tail" });
  assert.deepEqual(answer.said, { a: [1, null] });
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.ExecutedVersion, "$LATEST");
  assert.equal(answer.FunctionError, undefined);
  assert.match(unbase64(answer.LogResult), /REPORT RequestId/);

  const dry = await send("Invoke", { FunctionName, InvocationType: "DryRun" });
  assert.equal(dry.StatusCode, 204);
  assert.ok(!dry.Payload?.length);

  const failed = await invoke(FunctionName, { fail: true });
  assert.equal(failed.FunctionError, "Unhandled");
  assert.equal(failed.said.errorType, "RangeError");
  assert.equal(failed.said.errorMessage, "as told");
});

test("the client context arrives", async (test) => {
  const FunctionName = await create(test);
  const ClientContext = Buffer.from('{"custom":{"word":"hello"}}').toString("base64");
  const { said } = await invoke(FunctionName, { show: "clientContext" }, { ClientContext });
  assert.match(JSON.stringify(said), /hello/);
});

test("invokes that are refused", async (test) => {
  const FunctionName = await create(test);
  await refused(send("Invoke", { FunctionName, Payload: '{"a":' }), lambda.InvalidRequestContentException,
    "Could not parse request body into json");
  await refused(send("Invoke", { FunctionName: "no-such-function" }), lambda.ResourceNotFoundException);
  await refused(send("Invoke", { FunctionName, Payload: Buffer.alloc(7 << 20, " ") }), lambda.RequestTooLargeException);

  await send("PutFunctionConcurrency", { FunctionName, ReservedConcurrentExecutions: 0 });
  const error = await refused(send("Invoke", { FunctionName }), lambda.TooManyRequestsException, "Rate Exceeded.");
  assert.equal(error.Reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
  assert.equal(error.$metadata.httpStatusCode, 429);
  await send("DeleteFunctionConcurrency", { FunctionName });
  await eventually(() => send("Invoke", { FunctionName }).catch(() => false));
});

// What a streamed invoke sent, and how it ended.
const stream = async (FunctionName, event) => {
  const answer = await send("InvokeWithResponseStream", {
    FunctionName, Payload: JSON.stringify(event), LogType: "Tail",
  });
  assert.equal(answer.StatusCode, 200);
  const found = { text: "", end: undefined };
  for await (const event of answer.EventStream) {
    assert.equal(found.end, undefined);
    if (event.PayloadChunk) found.text += text(event.PayloadChunk.Payload);
    if (event.InvokeComplete) found.end = event.InvokeComplete;
  }
  return found;
};

test("streams", async (test) => {
  const FunctionName = await create(test, { Handler: "index.streaming" });
  const whole = await stream(FunctionName, { words: ["one ", "two ", "three"] });
  assert.equal(whole.text, "one two three");
  assert.equal(whole.end.ErrorCode, undefined);
  assert.match(unbase64(whole.end.LogResult), /REPORT RequestId/);

  const { end } = await stream(FunctionName, { words: ["one "], fail: true });
  assert.equal(end.ErrorCode, "Unhandled");
  assert.match(end.ErrorDetails, /as told/);
  await refused(send("InvokeWithResponseStream", { FunctionName: "no-such-function" }), lambda.ResourceNotFoundException);
});
