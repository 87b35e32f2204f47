// Starts the client without its own command line, which would write a line to the function's log.
const client = await import('./node_modules/aws-lambda-ric/' + (process.versions.node.split('.')[0] >= 24 ? 'index.mjs' : 'dist/index.mjs'));

// From version 4 on, importing it is enough.
if (client.run) await client.run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
