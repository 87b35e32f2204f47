//! XML as services answer it, read: elements and their texts. Attributes say nothing to us, and a document that is
//! not well formed says nothing at all.
//!
//! What is written, for the query protocol, is a few elements of known names around texts
//! ([`crate::query::member`]): one function that escapes is all that takes, so that none of `quick_xml`'s writer is used.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Elements within each other. Answers have some ten.
const DEPTH_MAX: usize = 64;

/// An element, and those inside of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Element {
    /// Its name, without the prefix of a name space.
    pub name: String,
    /// The text directly in it.
    pub text: String,
    /// The elements directly in it.
    pub inside: Vec<Element>,
}

impl Element {
    /// Reads a document.
    pub fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        // Those that are not ended yet.
        let mut open: Vec<Self> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < DEPTH_MAX => open.push(Self::begun(&start)),
                Event::Start(_) => return None,
                Event::Empty(start) => {
                    if let Some(root) = ended(&mut open, Self::begun(&start)) {
                        return Some(root);
                    }
                }
                Event::End(_) => {
                    let last = open.pop()?;
                    if let Some(root) = ended(&mut open, last) {
                        return Some(root);
                    }
                }
                Event::Text(text) => put(&mut open, &text.xml10_content()),
                Event::CData(text) => put(&mut open, &text.xml10_content()),
                Event::GeneralRef(reference) => put(&mut open, &meaning(&reference)?),
                Event::Eof => return None,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The first element of that name, be it this one or one inside of it.
    pub fn find(&self, name: &str) -> Option<&Self> {
        match self.name == name {
            true => Some(self),
            false => self.inside.iter().find_map(|element| element.find(name)),
        }
    }

    /// The text of the first element of that name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.find(name).map(|element| element.text.as_str())
    }

    fn begun(start: &BytesStart<'_>) -> Self {
        Self {
            name: start.local_name().as_ref().to_owned(),
            text: String::new(),
            inside: Vec::new(),
        }
    }
}

/// Puts an element where it belongs; gives it back if it is the outermost.
fn ended(open: &mut [Element], element: Element) -> Option<Element> {
    match open.last_mut() {
        Some(around) => {
            around.inside.push(element);
            None
        }
        None => Some(element),
    }
}

/// What is outside of all elements is white space.
fn put(open: &mut [Element], text: &str) {
    if let Some(around) = open.last_mut() {
        around.text += text;
    }
}

/// What `&lt;` or `&#60;` stands for. Documents may name others themselves, but those of services do not.
fn meaning(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character.to_string());
    }
    resolve_predefined_entity(reference).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::{group, member};

    #[test]
    fn elements_are_found_with_their_texts() {
        let document = "<?xml version=\"1.0\"?>\n<!-- a --><a xmlns=\"n\" xmlns:s=\"m\">\n <s:b k='v'>It&apos;s &#60;gone&#x3e;</s:b>\
                        <list><member><b>2</b></member><member><c/></member></list><d><![CDATA[<&]]></d></a>";
        let root = Element::parse(document).unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text_of("b"), Some("It's <gone>"));
        assert_eq!(root.text_of("c"), Some(""));
        assert_eq!(root.text_of("d"), Some("<&"));
        assert_eq!(root.text_of("k"), None);
        let list = root.find("list").unwrap();
        let texts: Vec<_> = list.inside.iter().map(|item| item.text_of("b")).collect();
        assert_eq!(texts, [Some("2"), None]);
    }

    #[test]
    fn what_is_not_well_formed_says_nothing() {
        for document in [
            "",
            "no",
            "<a>",
            "<a></b>",
            "<a><b></a></b>",
            "</a>",
            "<a>&unknown;</a>",
            "<a>&#0;</a>",
        ] {
            assert_eq!(Element::parse(document), None, "{document}");
        }
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(Element::parse(&deep(DEPTH_MAX)).is_some());
        assert_eq!(Element::parse(&deep(DEPTH_MAX + 1)), None);
        assert_eq!(Element::parse(&deep(100_000)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_makes_reading_panic(
            document in "(<a>|</a>|<b/>|<a x='y'>|<s:a>|&lt;|&#6|;|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<!DOCTYPE|<\\?xml|[<>&]|\\PC){0,20}",
        ) {
            let _ = Element::parse(&document);
        }

        /// What our own writer escapes is read as it was.
        #[test]
        fn what_is_written_is_read(text in "([<>&'\"\t\n\r]|\\]\\]>|&amp;|\\PC){0,20}") {
            let root = Element::parse(&group("Result", &member("Text", &text))).unwrap();
            let holds = text.replace(['\u{fffe}', '\u{ffff}'], "");
            prop_assert_eq!(root.text_of("Text"), Some(holds.as_str()));
        }
    }
}
