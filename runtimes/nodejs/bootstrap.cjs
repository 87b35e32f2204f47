// Where Node.js starts: prepare what a function expects to find, load its handler, serve.
'use strict';

const log = require('./log.cjs');
const { Connection } = require('./connection.cjs');
const { promisesOnly } = require('./generation.cjs');
const handlers = require('./handler.cjs');

/** Exit statuses that tell the two ways to die of an error nobody caught from any other. */
const EXIT_EXCEPTION = 129;
const EXIT_REJECTION = 128;

function main() {
  log.patch(promisesOnly ? '-' : undefined);
  defineGlobals();
  const connection = new Connection(process.env.AWS_LAMBDA_RUNTIME_API);
  const hooks = promisesOnly ? { idle() {} } : watch(connection);
  const loading = handlers.load(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.env._HANDLER);
  loading.then(
    (handler) => serve(connection, handler, hooks),
  ).catch((error) => {
    log.error(promisesOnly ? 'Init Error' : 'Uncaught Exception', error);
    failInit(connection, error, promisesOnly ? 1 : EXIT_EXCEPTION);
  });
}

function serve(connection, handler, hooks) {
  if (handlers.isStreaming(handler)) require('./streaming.cjs').serve(connection, handler, hooks);
  else if (promisesOnly) require('./promises.cjs').serve(connection, handler);
  else require('./invoke.cjs').serve(connection, handler, hooks);
}

/** Tells the platform that the function can't start, and ends. */
function failInit(connection, error, status) {
  const body = require('./errors.cjs').body(error);
  const type = `Lambda-Runtime-Function-Error-Type: ${body.errorType}\r\n`;
  connection.post('init/error', JSON.stringify(body), type, () => process.exit(status));
}

/** What functions find as `awslambda` without importing anything. */
function defineGlobals() {
  if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[handlers.STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') {
        handler[handlers.HIGH_WATER_MARK] = parseInt(options.highWaterMark, 10);
      }
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      /** Makes the stream begin with status, headers and cookies. */
      static from(stream, prelude) {
        stream.setContentType('application/vnd.awslambda.http-integration-response');
        const text = JSON.stringify(prelude);
        stream._onBeforeFirstWrite = (write) => {
          write(text);
          write(new Uint8Array(8));
        };
        return stream;
      }
    },
  };
}

/** Watches for errors nobody caught and for an empty event loop. */
function watch(connection) {
  let whenIdle = () => {};
  const hooks = {
    /** What to do with an uncaught error, with the status to exit with. Until there is an invoke: init failed. */
    uncaught: (error, status) => failInit(connection, error, status),
    /** Says what to do once nothing is left to do; nothing, if nothing is given. */
    idle(action = () => {}) {
      whenIdle = action;
    },
  };
  process.on('beforeExit', () => whenIdle());
  process.on('uncaughtException', (error) => {
    log.error('Uncaught Exception', error);
    hooks.uncaught(error, EXIT_EXCEPTION);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = require('./errors.cjs').unhandledRejection(reason, promise);
    log.error('Unhandled Promise Rejection', error);
    hooks.uncaught(error, EXIT_REJECTION);
  });
  return hooks;
}

main();
