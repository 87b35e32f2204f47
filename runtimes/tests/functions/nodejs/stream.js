// Handlers that stream their answer.
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const stream = awslambda.streamifyResponse;

exports.pieces = stream(async (event, out, context) => {
  out.setContentType('text/plain');
  out.write(context.awsRequestId.slice(0, 3));
  await later(5);
  out.write({ an: 'object' });
  out.write(Buffer.from([0, 255]));
  out.end('last');
});
exports.http = stream(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { a: 'b' }, cookies: ['c=d'] });
  out.write('body');
  out.end();
});
exports.httpOnlyEnd = stream(async (event, out) => {
  awslambda.HttpResponseStream.from(out, { statusCode: 201 }).end('body');
});
exports.nothing = stream(async (event, out) => out.end());
exports.returns = stream(async (event, out) => {
  out.write('x');
  out.end();
  return 'ignored';
});
exports.early = stream(async () => {
  throw new RangeError('early');
});
exports.middle = stream(async (event, out) => {
  out.write('some');
  await later(5);
  throw new RangeError('in the middle');
});
exports.sync = stream((event, out) => {
  out.write('x');
});
exports.tooLate = stream(async (event, out) => {
  out.write('x');
  try {
    out.setContentType('text/plain');
  } catch (error) {
    console.log(error.name, error.message);
  }
  out.end();
});
exports.piped = stream(async (event, out) => {
  await pipeline(Readable.from(['a'.repeat(100000), 'b'.repeat(100000)]), out);
});
exports.large = stream(async (event, out) => {
  for (let i = 0; i < 40; i++) {
    if (!out.write(Buffer.alloc(100000, 65 + (i % 26)))) await new Promise((resolve) => out.once('drain', resolve));
  }
  out.end();
});
exports.uncaught = stream(async (event, out) => {
  out.write('x');
  setTimeout(() => { throw new Error('nobody catches'); }, 5);
  await later(1000);
});
