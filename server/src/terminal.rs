//! Output for people: text of functions and callers may be anything, and a terminal must not obey
//! it. Everything that commands print goes through here, and so does the service's own log.

use std::borrow::Cow;
use std::fmt::{Arguments, Write as _};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Prints a line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::terminal::print(format_args!($($text)*), true) };
}
/// Prints text on standard output, without a line's end.
macro_rules! say_on {
    ($($text:tt)*) => { $crate::terminal::print(format_args!($($text)*), false) };
}
/// Prints a line on standard error.
macro_rules! complain {
    ($($text:tt)*) => { $crate::terminal::print_error(format_args!($($text)*)) };
}
pub(crate) use {complain, say, say_on};

/// Text with everything made visible that a terminal would obey, but for the ends of lines and tabs.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'))
}

/// Text that stays on its line, with everything made visible that a terminal would obey.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, is_hidden)
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hidden(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character is obeyed instead of shown: control characters of both sets, and those that turn
/// the direction of what follows or end a line in some programs.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why standard output takes nothing any more.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// See [`say`]. What cannot be written is not tried again; the command continues, since it may be in the middle
/// of work, and its end is [`ended`]'s.
pub(crate) fn print(text: Arguments<'_>, line: bool) {
    let mut text = visible(&text.to_string()).into_owned();
    if line {
        text.push('\n');
    }
    write(text.as_bytes());
}

fn write(bytes: &[u8]) {
    if LOST.get().is_some() {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        let _ = LOST.set(error);
    }
}

/// Whether nobody reads what is printed: a command that does nothing else can end.
pub(crate) fn is_lost() -> bool {
    if LOST.get().is_some() {
        return true;
    }
    // The other end of a pipe can go without anything being written.
    let stdout = std::io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let told = rustix::event::poll(&mut polled, Some(&at_once));
    told.is_ok() && polled[0].revents().contains(PollFlags::ERR)
}

/// The exit status of a command that would end with `code`, if it could print. A closed pipe is not reported, as its reader has
/// seen enough; a full disk is.
pub(crate) fn ended(code: ExitCode) -> ExitCode {
    match LOST.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain!("lambent: standard output cannot be written: {error}");
            ExitCode::FAILURE
        }
        _ => code,
    }
}

/// See [`complain`].
pub(crate) fn print_error(text: Arguments<'_>) {
    let mut text = visible(&text.to_string()).into_owned();
    text.push('\n');
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a result to standard output: as it is to a program, and made visible to a person.
pub(crate) fn result(bytes: &[u8]) {
    if !std::io::stdout().is_terminal() {
        return write(bytes);
    }
    let mut text = visible(&String::from_utf8_lossy(bytes)).into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    write(text.as_bytes());
}

/// Shows progress on standard error, on the current line.
pub(crate) fn progress(text: &str) {
    let mut line = String::from("\r");
    let _ = write!(line, "{}", one_line(text));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Writes lines to standard output in place of those that were written there before, `before` in number.
pub(crate) fn repaint(lines: &[String], before: usize) {
    let mut text = String::new();
    if before > 0 {
        let _ = write!(text, "\x1b[{before}A");
    }
    for line in lines {
        let _ = writeln!(text, "\r\x1b[K{}", one_line(line));
    }
    // What is below is of a longer text than this.
    text.push_str("\x1b[J");
    self::write(text.as_bytes());
}

/// Wipes the line that is there.
pub(crate) fn wipe(mut out: impl std::io::Write) {
    let _ = out.write_all(b"\r\x1b[K");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(visible("a\u{1b}]0;title\u{7}b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(visible("\u{9b}2J \u{202e}abc"), "\\u{9b}2J \\u{202e}abc");
        assert_eq!(visible("gone\rback\u{8}"), "gone\\rback\\u{8}");
        assert_eq!(visible("two\nlines\tä €"), "two\nlines\tä €");
        assert_eq!(one_line("two\nlines\t\u{2028}"), "two\\nlines\\t\\u{2028}");
    }
}
