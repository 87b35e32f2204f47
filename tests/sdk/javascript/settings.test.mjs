import assert from "node:assert/strict";
import { test } from "node:test";
import * as lambda from "@aws-sdk/client-lambda";
import { all, client, create, eventually, invoke, publish, refused, send, unique, ZipFile } from "./suite.mjs";

test("layers", async (test) => {
  const LayerName = unique();
  const made = await send("PublishLayerVersion", {
    LayerName, Content: { ZipFile }, CompatibleRuntimes: ["nodejs20.x"], CompatibleArchitectures: ["x86_64"],
  });
  test.after(() => send("DeleteLayerVersion", { LayerName, VersionNumber: 1 }));
  assert.equal(made.Version, 1);
  const FunctionName = await create(test, { Layers: [made.LayerVersionArn] });
  const { said } = await invoke(FunctionName, { read: "/opt/index.mjs" });
  assert.match(said, /export const handler/);

  const found = await send("GetLayerVersionByArn", { Arn: made.LayerVersionArn });
  assert.equal(found.Content.CodeSize, ZipFile.length);
  const listed = await all(lambda.paginateListLayerVersions({ client }, { LayerName }), "LayerVersions");
  assert.deepEqual(listed.map((it) => it.LayerVersionArn), [made.LayerVersionArn]);
  const layers = await all(lambda.paginateListLayers({ client, pageSize: 2 }, {}), "Layers");
  assert.ok(layers.some((it) => it.LayerName === LayerName));
  const version = { LayerName, VersionNumber: 1 };
  await send("AddLayerVersionPermission", {
    ...version, StatementId: "all", Principal: "*", Action: "lambda:GetLayerVersion",
  });
  const { Policy } = await send("GetLayerVersionPolicy", version);
  assert.equal(JSON.parse(Policy).Statement[0].Sid, "all");
});

test("policies", async (test) => {
  const FunctionName = await create(test);
  const { Statement } = await send("AddPermission", {
    FunctionName, StatementId: "bucket", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com",
    SourceArn: "arn:aws:s3:::photos", SourceAccount: "000000000000",
  });
  assert.equal(JSON.parse(Statement).Sid, "bucket");
  const { Policy, RevisionId } = await send("GetPolicy", { FunctionName });
  assert.deepEqual(JSON.parse(Policy).Statement, [JSON.parse(Statement)]);
  await send("RemovePermission", { FunctionName, StatementId: "bucket", RevisionId });
  await refused(send("GetPolicy", { FunctionName }), lambda.ResourceNotFoundException);
});

test("concurrency, reserved and provisioned", async (test) => {
  const FunctionName = await create(test);
  const version = { FunctionName, Qualifier: await publish(FunctionName, "one") };
  await send("PutFunctionConcurrency", { FunctionName, ReservedConcurrentExecutions: 5 });
  assert.equal((await send("GetFunctionConcurrency", { FunctionName })).ReservedConcurrentExecutions, 5);
  const put = await send("PutProvisionedConcurrencyConfig", { ...version, ProvisionedConcurrentExecutions: 1 });
  assert.equal(put.Status, "IN_PROGRESS");
  await eventually(async () => (await send("GetProvisionedConcurrencyConfig", version)).Status === "READY");
  const listed = await all(
    lambda.paginateListProvisionedConcurrencyConfigs({ client }, { FunctionName }), "ProvisionedConcurrencyConfigs");
  assert.deepEqual(listed.map((it) => it.AvailableProvisionedConcurrentExecutions), [1]);
  await send("DeleteProvisionedConcurrencyConfig", version);
  await refused(send("GetProvisionedConcurrencyConfig", version), lambda.ProvisionedConcurrencyConfigNotFoundException);
  assert.equal((await send("GetAccountSettings", {})).AccountLimit.ConcurrentExecutions, 1000);
});

test("event invoke configs", async (test) => {
  const FunctionName = await create(test);
  const made = await send("PutFunctionEventInvokeConfig", {
    FunctionName, MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60,
  });
  assert.ok(made.LastModified instanceof Date && made.LastModified.getFullYear() >= 2024, made.LastModified);
  await send("UpdateFunctionEventInvokeConfig", { FunctionName, MaximumRetryAttempts: 1 });
  const found = await send("GetFunctionEventInvokeConfig", { FunctionName });
  assert.deepEqual([found.MaximumRetryAttempts, found.MaximumEventAgeInSeconds], [1, 60]);
  const pages = lambda.paginateListFunctionEventInvokeConfigs({ client }, { FunctionName });
  assert.equal((await all(pages, "FunctionEventInvokeConfigs")).length, 1);
  await send("DeleteFunctionEventInvokeConfig", { FunctionName });
});

test("event source mappings", async (test) => {
  const FunctionName = await create(test);
  const FilterCriteria = { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] };
  const { UUID, LastModified } = await send("CreateEventSourceMapping", {
    FunctionName, EventSourceArn: `arn:aws:sqs:us-east-1:000000000000:${FunctionName}`, BatchSize: 5,
    Enabled: false, FilterCriteria,
  });
  test.after(() => send("DeleteEventSourceMapping", { UUID }).catch(() => {}));
  assert.ok(LastModified.getFullYear() >= 2024, LastModified);
  assert.equal((await send("UpdateEventSourceMapping", { UUID, BatchSize: 7 })).BatchSize, 7);
  assert.deepEqual((await send("GetEventSourceMapping", { UUID })).FilterCriteria, FilterCriteria);
  const listed = await all(
    lambda.paginateListEventSourceMappings({ client }, { FunctionName }), "EventSourceMappings");
  assert.deepEqual(listed.map((it) => it.UUID), [UUID]);
  assert.equal((await send("DeleteEventSourceMapping", { UUID })).State, "Deleting");
  const error = await eventually(() => send("GetEventSourceMapping", { UUID }).then(() => false, (error) => error));
  assert.ok(error instanceof lambda.ResourceNotFoundException, error);
});

test("code signing", async (test) => {
  const profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789";
  const { CodeSigningConfig } = await send("CreateCodeSigningConfig", {
    AllowedPublishers: { SigningProfileVersionArns: [profile] },
  });
  const { CodeSigningConfigArn } = CodeSigningConfig;
  const FunctionName = await create(test, { CodeSigningConfigArn });
  const { FunctionArns } = await send("ListFunctionsByCodeSigningConfig", { CodeSigningConfigArn });
  assert.equal(FunctionArns.length, 1);
  await send("UpdateCodeSigningConfig", {
    CodeSigningConfigArn, CodeSigningPolicies: { UntrustedArtifactOnDeployment: "Enforce" },
  });
  await refused(send("UpdateFunctionCode", { FunctionName, ZipFile }), lambda.CodeVerificationFailedException);
  await send("DeleteFunctionCodeSigningConfig", { FunctionName });
  await send("DeleteCodeSigningConfig", { CodeSigningConfigArn });
});
