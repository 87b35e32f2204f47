// The Runtime API over one kept-alive connection: HTTP/1.1 by hand, one write per request.
//
// The process may end only while a handler runs and nothing is left to do (that is how a handler that never answers is
// noticed), so the connection holds the event loop exactly from the moment a request is sent until it is answered.
'use strict';

const fs = require('fs');

const { connect } = require('./transport.cjs');

const ROOT = '/2018-06-01/runtime/';

class Connection {
  #host;
  #port;
  #address;
  #transport; // undefined: not connected.
  #opened = false;
  #waiting = []; // What to write once connected.
  #answered; // Called with the answer; undefined: no request is out.
  #request; // What was asked, to ask again if a kept connection turns out to be closed.
  #received = 0; // Bytes of the answer so far.
  #parts = [];
  #needed = 0; // Bytes that must be there before it is worth another look.

  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.#host = address.slice(0, colon);
    this.#port = Number(address.slice(colon + 1));
    this.#address = address;
  }

  /** Waits for an event: `done(headers, body)`, header names in lower case, body a Buffer. */
  next(done) {
    this.#send(`GET ${ROOT}invocation/next HTTP/1.1\r\nHost: ${this.#address}\r\n\r\n`, (status, headers, body) => {
      if (status !== 200) end(`the Runtime API answered ${status} to next`);
      done(headers, body);
    });
  }

  /** Posts JSON text to a path below the API's root; `done(status)`. `more` is header lines, each with its line end. */
  post(path, body, more, done) {
    const size = Buffer.byteLength(body);
    const head = this.#head(path, `Content-Type: application/json\r\nContent-Length: ${size}\r\n${more}`);
    this.#send(head + body, done);
  }

  /** Starts a post whose body comes in pieces, by `write` and `end`. Never sent twice. */
  start(path, headers, done) {
    this.#send(this.#head(path, `Transfer-Encoding: chunked\r\n${headers}`), done);
    this.#request = undefined;
  }

  write(data, done) {
    const size = Buffer.from(`${data.length.toString(16)}\r\n`, 'latin1');
    this.#put(Buffer.concat([size, data, Buffer.from('\r\n', 'latin1')]), done);
  }

  end(trailers) {
    this.#put(`0\r\n${trailers}\r\n`);
  }

  #head(path, headers) {
    return `POST ${ROOT}${path} HTTP/1.1\r\nHost: ${this.#address}\r\n${headers}\r\n`;
  }

  #send(request, answered) {
    this.#answered = answered;
    // A connection that was open before may have been closed meanwhile, without any harm done.
    this.#request = this.#opened ? request : undefined;
    this.#put(request);
    this.#transport.ref();
  }

  #put(data, done) {
    if (!this.#transport) this.#connect();
    if (this.#opened) this.#transport.write(data, done);
    else this.#waiting.push([data, done]);
  }

  #connect() {
    this.#transport = connect(this.#host, this.#port, {
      opened: () => {
        this.#opened = true;
        for (const [data, done] of this.#waiting.splice(0)) this.#transport.write(data, done);
      },
      data: (data) => this.#take(data),
      closed: (error) => this.#closed(error),
    });
  }

  #closed(error) {
    this.#transport = undefined;
    this.#opened = false;
    const answered = this.#answered;
    if (!answered) return;
    const again = this.#received === 0 ? this.#request : undefined;
    this.#reset();
    if (!again) end(`the Runtime API is lost: ${error.message}`);
    this.#send(again, answered);
  }

  #reset() {
    this.#answered = undefined;
    this.#request = undefined;
    this.#parts = [];
    this.#received = 0;
    this.#needed = 0;
  }

  #take(data) {
    this.#parts.push(data);
    this.#received += data.length;
    if (this.#received < this.#needed) return;
    const all = this.#parts.length === 1 ? data : Buffer.concat(this.#parts);
    this.#parts = [all];
    const answer = parse(all);
    if (typeof answer === 'number') {
      this.#needed = answer;
      return;
    }
    const answered = this.#answered;
    this.#reset();
    if (answer.headers.connection === 'close') {
      this.#transport.close();
      this.#transport = undefined;
      this.#opened = false;
    } else {
      this.#transport.unref();
    }
    answered?.(answer.status, answer.headers, answer.body);
  }
}

exports.Connection = Connection;

/** Without the Runtime API there is nobody to tell; an exception would only come back here as an error to post. */
function end(why) {
  fs.writeSync(2, `${why}\n`);
  process.exit(1);
}

/** An answer, or how many bytes it takes to know more. */
function parse(data) {
  const end = data.indexOf('\r\n\r\n');
  if (end < 0) return data.length + 1;
  const lines = data.latin1Slice(0, end).split('\r\n');
  const status = Number(lines[0].slice(9, 12));
  if (status < 200) return parse(data.subarray(end + 4));
  const headers = {};
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i].indexOf(':');
    headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
  }
  const start = end + 4;
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(data, start, status, headers);
  const size = Number(headers['content-length'] ?? 0);
  if (data.length < start + size) return start + size;
  return { status, headers, body: data.subarray(start, start + size) };
}

function parseChunks(data, start, status, headers) {
  const parts = [];
  for (let at = start; ; ) {
    const line = data.indexOf('\r\n', at);
    if (line < 0) return data.length + 1;
    const size = parseInt(data.latin1Slice(at, line), 16);
    at = line + 2;
    if (size === 0) {
      // Trailers, if any, end with an empty line; nothing here needs them.
      return data.indexOf('\r\n\r\n', line) < 0 ? data.length + 1 : { status, headers, body: Buffer.concat(parts) };
    }
    if (data.length < at + size + 2) return at + size + 2;
    parts.push(data.subarray(at, at + size));
    at += size + 2;
  }
}
