import assert from "node:assert/strict";
import { test } from "node:test";
import { LambdaClient, ListFunctionsCommand, TooManyRequestsException } from "@aws-sdk/client-lambda";
import { eventually, settings } from "./suite.mjs";

test("throttled calls are made again", async () => {
  const patient = new LambdaClient({ ...settings("LAMBENT_SLOW_"), retryMode: "standard", maxAttempts: 12 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => patient.send(new ListFunctionsCommand({}))));
  assert.ok(answers.some((it) => it.$metadata.attempts > 1), "nobody was throttled");

  const hasty = new LambdaClient(settings("LAMBENT_SLOW_"));
  const error = await eventually(() => hasty.send(new ListFunctionsCommand({})).then(() => false, (error) => error));
  assert.ok(error instanceof TooManyRequestsException, error);
  assert.equal(error.Reason, "CallerRateLimitExceeded");
  assert.equal(error.retryAfterSeconds, "1");
});
