// Event after event, as Lambda does it from Node.js 24 on: what the handler returns is awaited and is the result.
// Nothing waits for the event loop to empty, there is no callback, and the context has no ways to answer.
'use strict';

const log = require('./log.cjs');
const { contextOf, fresh } = require('./context.cjs');
const { postError, postResult } = require('./invoke.cjs');

const NO_CALLBACKS =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to ' +
  'modify this function to use a supported handler signature to use Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

exports.serve = (connection, handler) => {
  if (handler.length >= 3) {
    throw require('./errors.cjs').ofRuntime('CallbackHandlerDeprecated', NO_CALLBACKS);
  }
  const next = () => connection.next((...event) => fresh(() => invoke(connection, handler, ...event, next)));
  next();
};

async function invoke(connection, handler, headers, body, next) {
  const id = headers['lambda-runtime-aws-request-id'];
  log.enter(id, headers['lambda-runtime-aws-tenant-id']);
  const context = contextOf(headers, {});
  context.xRayTraceId = headers['lambda-runtime-trace-id'];
  try {
    const result = await handler(JSON.parse(body.utf8Slice()), context);
    // What the function scheduled for now comes before the answer.
    await new Promise(setImmediate);
    postResult(connection, id, result, next, 'JSONStringifyError');
  } catch (error) {
    log.error('Invoke Error', error);
    postError(connection, id, error, next);
  }
}
