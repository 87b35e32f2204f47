import assert from "node:assert/strict";
import { test } from "node:test";
import * as cloudwatch from "@aws-sdk/client-cloudwatch-logs";
import * as iam from "@aws-sdk/client-iam";
import { GetFunctionCommand, InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import * as sts from "@aws-sdk/client-sts";
import { all, create, eventually, invoke, refused, send, settings, unique } from "./suite.mjs";

const logs = new cloudwatch.CloudWatchLogsClient(settings());
const users = new iam.IAMClient(settings());
const ask = (name, input) => users.send(new iam[`${name}Command`](input));
const whoami = (settings) => new sts.STSClient(settings).send(new sts.GetCallerIdentityCommand({}));
const policy = (...Statement) => JSON.stringify({ Version: "2012-10-17", Statement });
const mayInvoke = (name) => policy({
  Effect: "Allow", Action: "lambda:InvokeFunction", Resource: `arn:aws:lambda:*:*:function:${name}`,
});

// Waits until a function has printed a word, and gives the events that have it.
const printed = (logGroupName, word) => eventually(async () => {
  const search = { logGroupName, filterPattern: `"${word}"` };
  try {
    const events = await all(cloudwatch.paginateFilterLogEvents({ client: logs }, search), "events");
    return events.length > 0 && events;
  } catch (error) {
    assert.ok(error instanceof cloudwatch.ResourceNotFoundException, error);
    return false;
  }
});

test("what a function prints is in its log", async (test) => {
  const FunctionName = await create(test);
  const print = unique("printed");
  await invoke(FunctionName, { print });
  const logGroupName = `/aws/lambda/${FunctionName}`;
  const [found, ...others] = await printed(logGroupName, print);
  assert.deepEqual(others, []);
  const { logStreamName } = found;
  const { logStreams } = await logs.send(new cloudwatch.DescribeLogStreamsCommand({
    logGroupName, orderBy: "LastEventTime", descending: true,
  }));
  assert.equal(logStreams[0].logStreamName, logStreamName);
  const pages = cloudwatch.paginateGetLogEvents(
    { client: logs, pageSize: 2, stopOnSameToken: true }, { logGroupName, logStreamName, startFromHead: true });
  const messages = (await all(pages, "events")).map((it) => it.message).join("");
  assert.match(messages, /START RequestId/);
  assert.ok(messages.includes(print), messages);
  await logs.send(new cloudwatch.DeleteLogGroupCommand({ logGroupName }));
});

test("an event is invoked later", async (test) => {
  const FunctionName = await create(test);
  const print = unique("printed");
  const answer = await send("Invoke", { FunctionName, InvocationType: "Event", Payload: JSON.stringify({ print }) });
  assert.equal(answer.StatusCode, 202);
  await printed(`/aws/lambda/${FunctionName}`, print);
});

test("the caller is who signed", async () => {
  const caller = await whoami(settings());
  assert.equal(caller.Account, "000000000000");
  assert.equal(caller.Arn, "arn:aws:iam::000000000000:root");
});

// A user who may do that, and what their clients are made of.
const user = async (test, PolicyDocument) => {
  const UserName = unique();
  const { User } = await ask("CreateUser", { UserName, Path: "/team/", Tags: [{ Key: "a", Value: "b" }] });
  await ask("PutUserPolicy", { UserName, PolicyName: "own", PolicyDocument });
  const { AccessKey } = await ask("CreateAccessKey", { UserName });
  test.after(async () => {
    await ask("DeleteUserPolicy", { UserName, PolicyName: "own" });
    await ask("DeleteAccessKey", { UserName, AccessKeyId: AccessKey.AccessKeyId });
    await ask("DeleteUser", { UserName });
  });
  const credentials = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  return { User, own: { ...settings(), credentials } };
};

test("a user may what their policy says", async (test) => {
  const FunctionName = await create(test);
  const { User, own } = await user(test, mayInvoke(FunctionName));
  assert.equal(User.Arn, `arn:aws:iam::000000000000:user/team/${User.UserName}`);
  assert.equal((await whoami(own)).UserId, User.UserId);
  const theirs = new LambdaClient(own);
  await theirs.send(new InvokeCommand({ FunctionName }));
  const denied = await refused(theirs.send(new GetFunctionCommand({ FunctionName })), Error,
    "is not authorized to perform: lambda:GetFunction on resource: ");
  assert.equal(denied.name, "AccessDeniedException");
  await refused(ask("CreateUser", { UserName: User.UserName }), iam.EntityAlreadyExistsException);
});

test("a role is assumed", async (test) => {
  const RoleName = unique();
  const trust = { Effect: "Allow", Principal: { AWS: "arn:aws:iam::000000000000:root" }, Action: "sts:AssumeRole" };
  const { Role } = await ask("CreateRole", { RoleName, AssumeRolePolicyDocument: policy(trust) });
  test.after(async () => {
    await ask("DeleteRolePolicy", { RoleName, PolicyName: "own" });
    await ask("DeleteRole", { RoleName });
  });
  const FunctionName = await create(test);
  await ask("PutRolePolicy", { RoleName, PolicyName: "own", PolicyDocument: mayInvoke(FunctionName) });
  const assume = policy({ Effect: "Allow", Action: "sts:AssumeRole", Resource: Role.Arn });
  const session = new sts.STSClient((await user(test, assume)).own);
  const asked = { RoleArn: Role.Arn, RoleSessionName: "tester" };
  const { AssumedRoleUser, Credentials } = await session.send(new sts.AssumeRoleCommand(asked));
  assert.equal(AssumedRoleUser.Arn, `arn:aws:sts::000000000000:assumed-role/${RoleName}/tester`);
  assert.ok(Credentials.Expiration > new Date());
  const own = {
    ...settings(),
    credentials: {
      accessKeyId: Credentials.AccessKeyId, secretAccessKey: Credentials.SecretAccessKey,
      sessionToken: Credentials.SessionToken,
    },
  };
  assert.equal((await whoami(own)).Arn, AssumedRoleUser.Arn);
  const theirs = new LambdaClient(own);
  await theirs.send(new InvokeCommand({ FunctionName }));
  const denied = await refused(theirs.send(new GetFunctionCommand({ FunctionName })), Error);
  assert.equal(denied.name, "AccessDeniedException");

  const tooLong = await refused(session.send(new sts.AssumeRoleCommand({ ...asked, DurationSeconds: 4000 })), Error);
  assert.equal(tooLong.name, "ValidationError");
  const temporary = await session.send(new sts.GetSessionTokenCommand({ DurationSeconds: 900 }));
  const { Account } = await new sts.STSClient(settings()).send(
    new sts.GetAccessKeyInfoCommand({ AccessKeyId: temporary.Credentials.AccessKeyId }));
  assert.equal(Account, "000000000000");
});

test("a function has a role of its own", async (test) => {
  const RoleName = unique();
  const trust = { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" };
  const { Role } = await ask("CreateRole", { RoleName, AssumeRolePolicyDocument: policy(trust) });
  const PolicyArn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
  await ask("AttachRolePolicy", { RoleName, PolicyArn });
  test.after(async () => {
    await ask("DetachRolePolicy", { RoleName, PolicyArn });
    await ask("DeleteRole", { RoleName });
  });
  await iam.waitUntilRoleExists({ client: users, maxWaitTime: 30 }, { RoleName });
  const attached = await all(
    iam.paginateListAttachedRolePolicies({ client: users }, { RoleName }), "AttachedPolicies");
  assert.deepEqual(attached.map((it) => it.PolicyArn), [PolicyArn]);
  const found = await ask("GetRole", { RoleName });
  assert.deepEqual(JSON.parse(decodeURIComponent(found.Role.AssumeRolePolicyDocument)).Statement, [trust]);
  const FunctionName = await create(test, { Role: Role.Arn });
  assert.equal((await send("GetFunctionConfiguration", { FunctionName })).Role, Role.Arn);
  await refused(ask("DeleteRole", { RoleName }), iam.DeleteConflictException);
  await refused(ask("GetRole", { RoleName: unique("none") }), iam.NoSuchEntityException);
});
