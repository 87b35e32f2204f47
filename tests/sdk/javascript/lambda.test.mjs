// The AWS SDK for JavaScript against a running Lambent: LAMBENT_URL, LAMBENT_KEY, LAMBENT_SECRET,
// LAMBENT_PACKAGE (a zip, base64: a Node.js function that echoes, or fails if told to).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as lambda from "@aws-sdk/client-lambda";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const settings = {
  endpoint: process.env.LAMBENT_URL,
  region: "us-east-1",
  maxAttempts: 3,
  credentials: {
    accessKeyId: process.env.LAMBENT_KEY,
    secretAccessKey: process.env.LAMBENT_SECRET,
  },
};
const client = new lambda.LambdaClient(settings);
const ZipFile = Buffer.from(process.env.LAMBENT_PACKAGE, "base64");
const FunctionName = `javascript-${Date.now()}-${process.pid}`;
const Role = "arn:aws:iam::000000000000:role/tester";
const send = (name, input) => client.send(new lambda[`${name}Command`](input));
const said = (answer) => JSON.parse(Buffer.from(answer.Payload).toString());

after(() => send("DeleteFunction", { FunctionName }));

test("a function is created, awaited and invoked", async () => {
  const made = await send("CreateFunction", {
    FunctionName, Role, Runtime: "nodejs20.x", Handler: "index.handler", Code: { ZipFile },
    Tags: { team: "orders" },
  });
  assert.equal(made.State, "Pending");
  await lambda.waitUntilFunctionActiveV2(
    { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { FunctionName });
  const answer = await send("Invoke", { FunctionName, Payload: '{"a":1}', LogType: "Tail" });
  assert.deepEqual(said(answer), { a: 1 });
  assert.equal(answer.ExecutedVersion, "$LATEST");
  assert.match(Buffer.from(answer.LogResult, "base64").toString(), /REPORT RequestId/);
});

test("a function that fails is an answer", async () => {
  const answer = await send("Invoke", { FunctionName, Payload: '{"fail":true}' });
  assert.equal(answer.FunctionError, "Unhandled");
  assert.equal(said(answer).errorType, "RangeError");
});

test("errors have their types", async () => {
  await assert.rejects(send("GetFunction", { FunctionName: "no-such-function" }),
    (error) => error instanceof lambda.ResourceNotFoundException && error.$metadata.httpStatusCode === 404);
  await assert.rejects(
    send("CreateFunction", { FunctionName, Role, Runtime: "nodejs20.x", Handler: "index.handler", Code: { ZipFile } }),
    lambda.ResourceConflictException);
});

test("a streamed result is decoded", async () => {
  const answer = await send("InvokeWithResponseStream", { FunctionName, Payload: '{"b":2}' });
  let text = "";
  let complete = false;
  for await (const event of answer.EventStream) {
    if (event.PayloadChunk) text += Buffer.from(event.PayloadChunk.Payload).toString();
    if (event.InvokeComplete) complete = true;
  }
  assert.deepEqual(JSON.parse(text), { b: 2 });
  assert.ok(complete);
});

test("versions, aliases, tags and pages", async () => {
  for (const Description of ["one", "two", "three"]) {
    await send("UpdateFunctionConfiguration", { FunctionName, Description });
    await lambda.waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { FunctionName });
    await send("PublishVersion", { FunctionName });
  }
  await send("CreateAlias", { FunctionName, Name: "live", FunctionVersion: "2" });
  const answer = await send("Invoke", { FunctionName, Qualifier: "live", Payload: "{}" });
  assert.equal(answer.ExecutedVersion, "2");
  const versions = [];
  const pages = lambda.paginateListVersionsByFunction({ client, pageSize: 2 }, { FunctionName });
  for await (const page of pages) versions.push(...page.Versions.map((it) => it.Version));
  assert.deepEqual(versions, ["$LATEST", "1", "2", "3"]);
  const found = await send("GetFunction", { FunctionName });
  assert.deepEqual(found.Tags, { team: "orders" });
});

test("the caller is who signed", async () => {
  const sts = new STSClient(settings);
  const caller = await sts.send(new GetCallerIdentityCommand({}));
  assert.equal(caller.Account, "000000000000");
});
