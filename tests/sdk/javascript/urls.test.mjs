import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { Sha256 } from "@aws-crypto/sha256-js";
import * as lambda from "@aws-sdk/client-lambda";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import { all, client, create, eventually, refused, region, send, settings } from "./suite.mjs";

// Posts to a function URL, signed by the SDK's own signer or not. Whatever the URL's host, the
// server is connected to: nobody has to resolve its name.
const post = async (url, body, sign = false) => {
  const { host, pathname, search, searchParams } = new URL(url);
  const query = Object.fromEntries(searchParams);
  let headers = { host, "content-type": "application/json" };
  if (sign) {
    const { credentials } = settings();
    const signer = new SignatureV4({ credentials, region, service: "lambda", sha256: Sha256 });
    const plain = new HttpRequest({ method: "POST", hostname: host, path: pathname, query, headers, body });
    headers = (await signer.sign(plain)).headers;
  }
  const { hostname, port } = new URL(process.env.LAMBENT_URL);
  return new Promise((resolve, reject) => {
    const sent = request({ method: "POST", hostname, port, path: pathname + search, headers }, async (answer) => {
      let body = "";
      for await (const piece of answer) body += piece;
      resolve({ status: answer.statusCode, body });
    });
    sent.on("error", reject).end(body);
  });
};

test("a URL for those who sign", async (test) => {
  const FunctionName = await create(test);
  const Cors = { AllowOrigins: ["https://example.com"], MaxAge: 60 };
  const { FunctionUrl } = await send("CreateFunctionUrlConfig", { FunctionName, AuthType: "AWS_IAM", Cors });
  const address = `${FunctionUrl}some/path?q=a%20b`;
  assert.equal((await post(address, '{"a":1}')).status, 403);
  const answer = await post(address, '{"a":1}', true);
  assert.equal(answer.status, 200, answer.body);
  const event = JSON.parse(answer.body);
  assert.equal(event.rawPath, "/some/path");
  assert.deepEqual(event.queryStringParameters, { q: "a b" });
  assert.equal(event.requestContext.authorizer.iam.userArn, "arn:aws:iam::000000000000:root");

  const found = await send("GetFunctionUrlConfig", { FunctionName });
  assert.deepEqual(found.Cors, Cors);
  assert.equal(found.InvokeMode, "BUFFERED");
  const listed = await all(lambda.paginateListFunctionUrlConfigs({ client }, { FunctionName }), "FunctionUrlConfigs");
  assert.deepEqual(listed.map((it) => it.FunctionUrl), [FunctionUrl]);
  await send("DeleteFunctionUrlConfig", { FunctionName });
  await refused(send("GetFunctionUrlConfig", { FunctionName }), lambda.ResourceNotFoundException);
});

test("a URL for everybody", async (test) => {
  const FunctionName = await create(test, { Handler: "index.streaming" });
  const { FunctionUrl } = await send("CreateFunctionUrlConfig", {
    FunctionName, AuthType: "NONE", InvokeMode: "RESPONSE_STREAM",
  });
  assert.equal((await post(FunctionUrl, "{}")).status, 403);
  const everybody = { FunctionName, Principal: "*" };
  await send("AddPermission", {
    ...everybody, StatementId: "url", Action: "lambda:InvokeFunctionUrl", FunctionUrlAuthType: "NONE",
  });
  await send("AddPermission", {
    ...everybody, StatementId: "invoke", Action: "lambda:InvokeFunction", InvokedViaFunctionUrl: true,
  });
  const answer = await eventually(async () => {
    const answer = await post(FunctionUrl, '{"words":["one ","two"]}');
    return answer.status === 200 && answer;
  });
  assert.equal(answer.body, "one two");
});
