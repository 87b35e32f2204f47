import assert from "node:assert/strict";
import { test } from "node:test";
import * as lambda from "@aws-sdk/client-lambda";
import { all, client, create, impatient, invoke, publish, refused, Role, send, unique, ZipFile } from "./suite.mjs";

test("a function's life", async (test) => {
  const FunctionName = await create(test, {
    Description: "first", MemorySize: 256, EphemeralStorage: { Size: 1024 },
    Environment: { Variables: { WORD: "hello" } }, Tags: { team: "orders" },
    LoggingConfig: { LogFormat: "JSON", ApplicationLogLevel: "WARN" },
  });
  const { Code, Configuration, Tags } = await send("GetFunction", { FunctionName });
  assert.equal(Configuration.MemorySize, 256);
  assert.deepEqual(Configuration.EphemeralStorage, { Size: 1024 });
  assert.deepEqual(Configuration.Environment, { Variables: { WORD: "hello" } });
  assert.equal(Configuration.LoggingConfig.ApplicationLogLevel, "WARN");
  assert.equal(Configuration.LastUpdateStatus, "Successful");
  assert.equal(Code.RepositoryType, "S3");
  assert.deepEqual(Tags, { team: "orders" });

  const { RevisionId } = Configuration;
  const updated = await send("UpdateFunctionCode", { FunctionName, ZipFile, RevisionId });
  assert.equal(updated.CodeSize, ZipFile.length);
  await lambda.waitUntilFunctionUpdatedV2(impatient, { FunctionName });
  await refused(send("UpdateFunctionCode", { FunctionName, ZipFile, RevisionId }), lambda.PreconditionFailedException);

  await send("DeleteFunction", { FunctionName });
  const error = await refused(send("GetFunction", { FunctionName }), lambda.ResourceNotFoundException,
    `Function not found: arn:aws:lambda:us-east-1:000000000000:function:${FunctionName}`);
  assert.equal(error.Type, "User");
  assert.equal(error.$metadata.httpStatusCode, 404);
});

test("functions are listed in pages", async (test) => {
  const made = [await create(test), await create(test), await create(test)];
  const listed = await all(lambda.paginateListFunctions({ client, pageSize: 2, stopOnSameToken: true }, {}), "Functions");
  const names = listed.map((it) => it.FunctionName);
  for (const name of made) assert.ok(names.includes(name), name);
});

test("versions and aliases", async (test) => {
  const FunctionName = await create(test);
  for (const word of ["one", "two", "three"]) await publish(FunctionName, word);
  const pages = lambda.paginateListVersionsByFunction({ client, pageSize: 2 }, { FunctionName });
  assert.deepEqual((await all(pages, "Versions")).map((it) => it.Version), ["$LATEST", "1", "2", "3"]);

  const RoutingConfig = { AdditionalVersionWeights: { 2: 0.25 } };
  const made = await send("CreateAlias", { FunctionName, Name: "live", FunctionVersion: "1", RoutingConfig });
  assert.deepEqual(made.RoutingConfig, RoutingConfig);
  const answer = await invoke(FunctionName, {}, { Qualifier: "live" });
  assert.ok(["1", "2"].includes(answer.ExecutedVersion));
  await send("UpdateAlias", {
    FunctionName, Name: "live", FunctionVersion: "3", RoutingConfig: { AdditionalVersionWeights: {} },
  });
  const aliases = await all(lambda.paginateListAliases({ client }, { FunctionName }), "Aliases");
  assert.deepEqual(aliases.map((it) => [it.Name, it.FunctionVersion, it.RoutingConfig]), [["live", "3", undefined]]);

  await refused(send("CreateAlias", { FunctionName, Name: "live", FunctionVersion: "1" }), lambda.ResourceConflictException);
  await refused(send("DeleteFunction", { FunctionName, Qualifier: "3" }), lambda.ResourceConflictException);
  await send("DeleteAlias", { FunctionName, Name: "live" });
  await send("DeleteFunction", { FunctionName, Qualifier: "3" });
});

test("tags", async (test) => {
  const FunctionName = await create(test);
  const { FunctionArn: Resource } = await send("GetFunctionConfiguration", { FunctionName });
  await send("TagResource", { Resource, Tags: { a: "1", "b/c d": "ü & more" } });
  assert.deepEqual((await send("ListTags", { Resource })).Tags, { a: "1", "b/c d": "ü & more" });
  await send("UntagResource", { Resource, TagKeys: ["b/c d"] });
  assert.deepEqual((await send("ListTags", { Resource })).Tags, { a: "1" });
});

test("refusals have types", async (test) => {
  const FunctionName = await create(test);
  const settings = { Role, Runtime: "nodejs20.x", Handler: "index.handler", Code: { ZipFile } };
  await refused(send("CreateFunction", { ...settings, FunctionName }), lambda.ResourceConflictException,
    `Function already exist: ${FunctionName}`);
  await refused(send("CreateFunction", { ...settings, FunctionName: unique(), Runtime: "cobol85" }),
    lambda.InvalidParameterValueException, "cobol85");
});
