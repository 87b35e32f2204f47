// A TCP connection in the least that Node.js needs for one: start, write, be notified of what was read.
//
// `process.binding('tcp_wrap')` is what `net` itself is made of. Without `net` and the streams above it the process is
// ready 4 to 7 ms sooner (V8 refuses its built-in code cache as soon as a heap limit is given, so every module counts)
// and an invoke costs a quarter less. The binding is no public interface: where it is missing, forbidden (the permission
// model) or would print a warning (pending deprecations), `net` does the same.
'use strict';

/**
 * Connects. `events` has `opened()`, `data(buffer)`, `closed(error)`.
 * What is returned has `write(text or buffer, done)`, `ref()`, `unref()`, `close()`.
 */
exports.connect = (host, port, events) => {
  const binding = bindings();
  return binding ? connectByBinding(binding, host, port, events) : connectByNet(host, port, events);
};

function bindings() {
  const options = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS ?? ''}`;
  const watched = process.env.NODE_PENDING_DEPRECATION === '1' || options.includes('--pending-deprecation');
  if (watched || process.permission) return undefined;
  try {
    const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = process.binding('stream_wrap');
    if (!TCP || !TCPConnectWrap || !WriteWrap || !streamBaseState || kLastWriteWasAsync === undefined) return undefined;
    return { TCP, TCPConnectWrap, WriteWrap, streamBaseState, kLastWriteWasAsync, kind: constants.SOCKET };
  } catch {
    return undefined;
  }
}

function connectByBinding(binding, host, port, events) {
  // The binding takes addresses only; the Runtime API is always given as one, but for tools that say "localhost".
  if (!/^[0-9.]+$/.test(host)) return connectByNet(host, port, events);
  const handle = new binding.TCP(binding.kind);
  const request = new binding.TCPConnectWrap();
  let open = true;
  const close = () => {
    if (open) handle.close();
    open = false;
  };
  const fail = (what) => {
    if (!open) return;
    close();
    events.closed(new Error(what));
  };
  request.oncomplete = (status) => {
    if (status < 0) return fail(`connect failed (${status})`);
    handle.setNoDelay(true);
    handle.onread = (data) => {
      if (data) events.data(Buffer.from(data));
      else fail('the connection was closed');
    };
    handle.readStart();
    events.opened();
  };
  const refused = handle.connect(request, host, port);
  if (refused) setImmediate(fail, `connect failed (${refused})`);
  return {
    write(data, done) {
      const write = new binding.WriteWrap();
      write.handle = handle;
      write.oncomplete = (status) => (status < 0 ? fail(`write failed (${status})`) : done?.());
      const status = typeof data === 'string' ? handle.writeUtf8String(write, data) : handle.writeBuffer(write, data);
      if (status) return void setImmediate(fail, `write failed (${status})`);
      if (!binding.streamBaseState[binding.kLastWriteWasAsync] && done) setImmediate(done);
    },
    ref: () => open && handle.ref(),
    unref: () => open && handle.unref(),
    close,
  };
}

function connectByNet(host, port, events) {
  let open = true;
  const callback = (size, buffer) => {
    events.data(Buffer.from(buffer.subarray(0, size)));
    return true;
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(65536), callback };
  const socket = require('net').connect({ host, port, onread }, () => {
    socket.setNoDelay(true);
    events.opened();
  });
  let problem;
  socket.on('error', (error) => (problem = error));
  socket.on('close', () => {
    if (open) events.closed(problem ?? new Error('the connection was closed'));
    open = false;
  });
  return {
    write: (data, done) => void socket.write(data, done),
    ref: () => socket.ref(),
    unref: () => socket.unref(),
    close() {
      open = false;
      socket.destroy();
    },
  };
}
