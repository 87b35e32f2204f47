// The AWS SDK for JavaScript against a running Lambent: what all files of the suite begin with.
//
// LAMBENT_URL, LAMBENT_KEY and LAMBENT_SECRET lead to one that answers as fast as it can, the same
// with LAMBENT_SLOW_ before to one whose control plane throttles soon. LAMBENT_PACKAGE is the code
// of every function here: a zip in base64.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as lambda from "@aws-sdk/client-lambda";

export const region = "us-east-1";
export const Role = "arn:aws:iam::000000000000:role/tester";
export const ZipFile = Buffer.from(process.env.LAMBENT_PACKAGE, "base64");

// What every client of a server is made of. No answer is asked for twice.
export const settings = (prefix = "LAMBENT_") => ({
  endpoint: process.env[`${prefix}URL`],
  region,
  maxAttempts: 1,
  credentials: {
    accessKeyId: process.env[`${prefix}KEY`],
    secretAccessKey: process.env[`${prefix}SECRET`],
  },
});

export const client = new lambda.LambdaClient(settings());
export const send = (name, input) => client.send(new lambda[`${name}Command`](input));
export const text = (bytes) => Buffer.from(bytes).toString();
export const unbase64 = (encoded) => Buffer.from(encoded, "base64").toString();
export const unique = (prefix = "js") => `${prefix}-${randomBytes(6).toString("hex")}`;
export const impatient = { client, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.1 };

// What an invoke answered, read.
export const invoke = async (FunctionName, event, more) => {
  const answer = await send("Invoke", { FunctionName, Payload: JSON.stringify(event), ...more });
  return { ...answer, said: JSON.parse(text(answer.Payload)) };
};

// Creates a function, with settings as they are changed, and deletes it after the test.
export const create = async (test, changes) => {
  const FunctionName = unique();
  const made = await send("CreateFunction", {
    FunctionName, Role, Runtime: "nodejs20.x", Handler: "index.handler", Code: { ZipFile }, Timeout: 10,
    ...changes,
  });
  test.after(() => send("DeleteFunction", { FunctionName }).catch((error) => {
    if (!(error instanceof lambda.ResourceNotFoundException)) throw error;
  }));
  assert.equal(made.State, "Pending");
  await lambda.waitUntilFunctionActiveV2(impatient, { FunctionName });
  return FunctionName;
};

// Publishes a version that differs from those before it by its description.
export const publish = async (FunctionName, Description) => {
  await send("UpdateFunctionConfiguration", { FunctionName, Description });
  await lambda.waitUntilFunctionUpdatedV2(impatient, { FunctionName });
  const { Version } = await send("PublishVersion", { FunctionName });
  await lambda.waitUntilFunctionActiveV2(impatient, { FunctionName, Qualifier: Version });
  return Version;
};

// All that the SDK's paginator finds: `all(pages, "Functions")`.
export const all = async (pages, member) => {
  const found = [];
  for await (const page of pages) found.push(...page[member]);
  return found;
};

// Waits until it is so, and gives what was so.
export const eventually = async (so) => {
  for (const deadline = Date.now() + 30_000; ;) {
    const found = await so();
    if (found) return found;
    assert.ok(Date.now() < deadline, "not so in time");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

// The refusal must be of that class and say that.
export const refused = async (promise, type, words = "") => {
  const error = await promise.then(() => assert.fail("it was not refused"), (error) => error);
  assert.ok(error instanceof type, `${error.name} is no ${type.name}: ${error.message}`);
  assert.ok(error.message.includes(words), error.message);
  return error;
};
