// The handler's second argument: what the headers of an event and the environment say of the invoke.
'use strict';

/** Runs it on an empty stack, so that the traces of the function's errors show little of the runtime. */
exports.fresh = (action) => void Promise.resolve().then(action);

/** Adds to `context` what the headers say, and tells the environment about the trace. */
exports.contextOf = (headers, context) => {
  const trace = headers['lambda-runtime-trace-id'];
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  context.functionVersion = process.env.AWS_LAMBDA_FUNCTION_VERSION;
  context.functionName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  context.memoryLimitInMB = process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  context.logGroupName = process.env.AWS_LAMBDA_LOG_GROUP_NAME;
  context.logStreamName = process.env.AWS_LAMBDA_LOG_STREAM_NAME;
  context.clientContext = parse(headers['lambda-runtime-client-context'], 'ClientContext');
  context.identity = parse(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity');
  context.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
  context.awsRequestId = headers['lambda-runtime-aws-request-id'];
  context.tenantId = headers['lambda-runtime-aws-tenant-id'];
  context.getRemainingTimeInMillis = () => deadline - Date.now();
  return context;
};

function parse(text, name) {
  if (!text) return undefined;
  try {
    // The headers were read byte by byte; what they carry is UTF-8.
    return JSON.parse(Buffer.from(text, 'latin1').utf8Slice());
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}
