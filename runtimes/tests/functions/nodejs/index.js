// Handlers that show what a runtime does with results, errors, logs and the context.
const state = { count: 0 };
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.echo = async (event) => event;
exports.state = async () => ++state.count;
exports.describeContext = async (event, context) => ({
  keys: Object.keys(context).sort(),
  request: context.awsRequestId,
  arn: context.invokedFunctionArn,
  name: context.functionName,
  version: context.functionVersion,
  memory: context.memoryLimitInMB,
  group: context.logGroupName,
  stream: context.logStreamName,
  client: context.clientContext,
  identity: context.identity,
  timeIsLeft: context.getRemainingTimeInMillis() > 0 && context.getRemainingTimeInMillis() <= 60000,
  trace: process.env._X_AMZN_TRACE_ID,
  waits: context.callbackWaitsForEmptyEventLoop,
  global: Object.keys(globalThis.awslambda).filter((key) => key !== 'InvokeStore').sort(),
  cwd: process.cwd() === __dirname,
  main: typeof require('module').createRequire,
});

exports.results = async (event) => {
  if (event === 'self') {
    const value = {};
    value.value = value;
    return value;
  }
  return {
    undefined,
    nothing: null,
    unicode: 'é\u2028\u{1f600}\x7f"\\\n',
    date: new Date(0),
    nan: [NaN, Infinity],
    big: 10n,
    buffer: Buffer.from('x'),
    map: new Map([[1, 2]]),
    json: { toJSON: () => 'by toJSON' },
    nested: { a: undefined, b: () => 1, c: [undefined] },
  }[event];
};

// In all the ways to answer.
exports.callback = (event, context, callback) => setTimeout(() => callback(null, 'called back'), 5);
exports.callbackError = (event, context, callback) => callback(new TypeError('called back'));
exports.callbackText = (event, context, callback) => callback('only text');
exports.callbackTwice = (event, context, callback) => {
  callback(null, 'first');
  callback(null, 'second');
};
exports.callbackWaits = (event, context, callback) => {
  callback(null, 'result');
  setTimeout(() => console.log('done before the result is sent'), 20);
};
exports.callbackDoesNotWait = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setTimeout(() => {}, 60000);
  callback(null, 'at once');
};
exports.succeed = (event, context) => context.succeed({ by: 'succeed' });
exports.fail = (event, context) => context.fail(new Error('by fail'));
exports.failNothing = (event, context) => context.fail();
exports.done = (event, context) => context.done(null, 'by done');
exports.doneError = (event, context) => context.done(new Error('by done'));
exports.nothing = () => {};
exports.returnsValue = () => 'ignored, being no promise';
exports.never = async () => new Promise(() => {});
exports.thenable = () => ({ then: (resolve) => resolve('thenable') });

exports.throws = () => {
  throw new RangeError('thrown\nin two lines é');
};
exports.rejects = async () => {
  const error = new Error('rejected');
  error.name = 'Custom\x7fName';
  error.code = 'ECODE';
  error.extra = { some: 'thing' };
  throw error;
};
exports.rejectsText = async () => {
  throw 'only text';
};
exports.rejectsObject = async () => {
  throw { no: 'error' };
};
exports.rejectsNothing = async () => {
  throw undefined;
};
exports.likeError = async () => {
  throw { name: 'Like', message: 'an error', stack: 'Like: an error\n    at nowhere (x.js:1:2)' };
};
exports.badError = async () => {
  const error = new Error('bad');
  Object.defineProperty(error, 'message', { get() { throw new Error('no message'); } });
  throw error;
};
exports.unhandled = async () => {
  Promise.reject(new Error('nobody listens'));
  await later(1000);
};
exports.uncaught = async () => {
  setTimeout(() => { throw new Error('nobody catches'); }, 1);
  await later(1000);
};
exports.leave = async () => {
  console.log('leaving');
  process.exit(5);
};
exports.notAFunction = 'text';
exports.nested = { deep: { handler: async () => 'nested' } };
exports.size = async (event) => 'x'.repeat(event);

exports.logs = async () => {
  console.log('plain');
  console.log('with %s and %d', 'words', 5, { an: 'object' });
  console.info({ nested: { deep: { deeper: { deepest: 1 } } } });
  console.warn('two\nlines');
  console.error(new Error('logged').message);
  console.debug('debug');
  console.fatal?.('fatal');
  console.log();
  console.log('100%');
  console.log('%%', 1);
  console.log(undefined, null, [1], Symbol('s'), () => 1);
  process.stdout.write('written\n');
  process.stderr.write('to stderr\n');
  return console.log === console.info;
};
exports.logsError = async () => {
  const error = new Error('logged');
  error.stack = 'Error: logged\n    at somewhere (file.js:1:2)';
  console.error('it failed:', error);
  console.error(error);
  console.log('by name', { requestId: 'mine' });
};
