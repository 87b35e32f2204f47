//! Traces of invokes, for operators: what each part did of an invoke, and for how long.
//!
//! ```text
//!   X-Amzn-Trace-Id ─▶ Tracer ─▶ Span ─▶ its children …
//!                                  └─ ended ─▶ Finished ─▶ a bounded queue ─▶ otlp: a batch as JSON
//! ```
//!
//! An invoke's header is handed from process to process with the invoke, and to the function. Each part that begins a span
//! writes its id into the header that it hands on (`Parent=`), as the real service does. So all spans of an invoke, and those of
//! the function's own instrumentation, are one trace, and no arrow needs another member.
//!
//! Whether a trace is sampled follows from its id: all processes with the same ratio agree, and no caller decides.
//! Without an exporter a span costs nothing. Who sends batches is not this crate's affair: it has no IO.

mod header;
pub mod otlp;
mod span;

pub use span::{Finished, Kind, Span, Tracer};
