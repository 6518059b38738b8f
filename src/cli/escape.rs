//! Names come from damaged or hostile files; a terminal must not see their control characters.

use std::borrow::Cow;

/// Characters that move the cursor, change colours, or turn the direction of text.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
}

/// The text with dangerous characters as `\u{..}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_dangerous(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The same for a text of several lines: their ends stay, and tabs that they begin with, which are Eseutil's.
pub fn escape_lines(text: &str) -> String {
    let line = |line: &str| {
        let rest = line.trim_start_matches('\t');
        let tabs = &line[..line.len() - rest.len()];
        format!("{tabs}{}", escape(rest))
    };
    let lines: Vec<_> = text.split('\n').map(line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_lines};

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(escape("priv1.edb"), "priv1.edb");
        assert_eq!(escape("a\x1b[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(escape_lines("a\x1b\n\nb\n"), "a\\u{1b}\n\nb\n");
        assert_eq!(escape_lines("\n\tError\tof\n"), "\n\tError\\u{9}of\n");
        assert_eq!(escape("postf\u{e4}cher"), "postf\u{e4}cher");
    }
}
