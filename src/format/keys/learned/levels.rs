//! A sort key taken apart into the weights of single characters, and put together again. [MS-UCODEREF 3.1.5.2]

/// Between two levels of a sort key.
const LEVEL: u8 = 1;
/// A diacritic or case weight that is not written at the end of its level.
const DEFAULT: u8 = 2;
/// The special weight of a character is preceded by this number less its place, counted in characters from 0. [verified:
/// hyphens at places 6, 10 and 11, sort version 6.2.15]
const PLACES: u16 = 0xFFFF;
/// Beyond this place the number's lower byte would come near the bytes that have a meaning of their own.
const LAST_PLACE: usize = 0xF0;

/// What one character adds to a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weights {
    /// A primary weight, a diacritic weight, a case weight.
    Plain {
        primary: [u8; 2],
        diacritic: u8,
        case: u8,
    },
    /// Nothing but a special weight with its place: a hyphen or an apostrophe in a word sort.
    Special([u8; 2]),
    /// Nothing at all: a zero character at the end of the text.
    Ignored,
}

/// True for characters whose weights are their own. Left out are all that Windows is known, or not known not, to treat together with
/// neighbours or as several characters: marks, surrogates, controls, ligatures, kana, scripts that are reordered.
pub(super) const fn stands_alone(unit: u16) -> bool {
    match unit {
        0xAD | 0xC6 | 0xDE | 0xDF | 0xE6 | 0xFE | 0x132 | 0x133 | 0x149 | 0x152 | 0x153 | 0x17F => {
            false
        }
        0 | 0x20..=0x7E | 0xA0..=0x17F => true,
        // Combining marks of Cyrillic.
        0x483..=0x489 => false,
        // Greek and Cyrillic; ideographs.
        0x386..=0x3CE | 0x400..=0x4FF | 0x4E00..=0x9FA5 => true,
        _ => false,
    }
}

/// The text without the zero characters at its end.
fn without_zeros(text: &[u16]) -> &[u16] {
    let end = text.iter().rposition(|unit| *unit != 0);
    &text[..end.map_or(0, |last| last + 1)]
}

/// Replaces `weights` by those of each character, if the key is plain: one primary weight each but for one special character.
pub(super) fn read_key(text: &[u16], key: &[u8], weights: &mut Vec<Weights>) -> bool {
    weights.clear();
    let body = without_zeros(text);
    let Some((0, levels)) = key.split_last() else {
        return false;
    };
    let mut levels = levels.splitn(5, |byte| *byte == LEVEL);
    let mut level = || levels.next();
    let (Some(primary), Some(diacritic), Some(case), Some([]), Some(special)) =
        (level(), level(), level(), level(), level())
    else {
        return false;
    };
    let too_long = |level: &[u8]| level.len() > body.len() || level.last() == Some(&DEFAULT);
    let (pairs, rest) = primary.as_chunks::<2>();
    if body.is_empty() || body.contains(&0) || !rest.is_empty() {
        return false;
    }
    if too_long(diacritic) || too_long(case) {
        return false;
    }
    let place = match special {
        [] => None,
        [high, low, first, second] if diacritic.is_empty() && case.is_empty() => {
            let place = usize::from(PLACES - u16::from_be_bytes([*high, *low]));
            if !is_inside(place, body) {
                return false;
            }
            Some((place, [*first, *second]))
        }
        _ => return false,
    };
    if pairs.len() + usize::from(place.is_some()) != body.len() {
        return false;
    }
    let mut pairs = pairs.iter();
    for at in 0..body.len() {
        weights.push(match place {
            Some((place, special)) if place == at => Weights::Special(special),
            _ => Weights::Plain {
                primary: pairs.next().copied().unwrap_or_default(),
                diacritic: diacritic.get(at).copied().unwrap_or(DEFAULT),
                case: case.get(at).copied().unwrap_or(DEFAULT),
            },
        });
    }
    weights.resize(text.len(), Weights::Ignored);
    true
}

/// A place with a character before and behind it.
const fn is_inside(place: usize, body: &[u16]) -> bool {
    0 < place && place + 1 < body.len() && place <= LAST_PLACE
}

/// Appends the key of a text whose characters' weights are known; otherwise false, and nothing is appended.
pub(super) fn push_key(
    text: &[u16],
    weights: impl Fn(u16) -> Option<Weights>,
    into: &mut Vec<u8>,
) -> bool {
    let start = into.len();
    let made = push_levels(text, weights, into).is_some();
    if !made {
        into.truncate(start);
    }
    made
}

fn push_levels(
    text: &[u16],
    weights: impl Fn(u16) -> Option<Weights>,
    into: &mut Vec<u8>,
) -> Option<()> {
    let body = without_zeros(text);
    if body.is_empty() {
        return None;
    }
    if body.len() < text.len() {
        weights(0).filter(|zero| *zero == Weights::Ignored)?;
    }
    let (mut diacritics, mut cases) = (Vec::new(), Vec::new());
    let mut special = None;
    for (at, unit) in body.iter().enumerate() {
        match weights(*unit)? {
            Weights::Plain {
                primary,
                diacritic,
                case,
            } => {
                into.extend_from_slice(&primary);
                diacritics.push(diacritic);
                cases.push(case);
            }
            // How several are written, nobody has shown.
            Weights::Special(weight) if special.is_none() && is_inside(at, body) => {
                special = Some((at, weight));
            }
            Weights::Special(_) | Weights::Ignored => return None,
        }
    }
    let (diacritics, cases) = (cut(&diacritics), cut(&cases));
    if special.is_some() && !(diacritics.is_empty() && cases.is_empty()) {
        return None;
    }
    into.push(LEVEL);
    into.extend_from_slice(diacritics);
    into.push(LEVEL);
    into.extend_from_slice(cases);
    into.extend_from_slice(&[LEVEL, LEVEL]);
    if let Some((at, weight)) = special {
        into.extend_from_slice(&(PLACES - at as u16).to_be_bytes());
        into.extend_from_slice(&weight);
    }
    into.push(0);
    Some(())
}

/// A level without the default weights at its end.
fn cut(level: &[u8]) -> &[u8] {
    let end = level.iter().rposition(|weight| *weight != DEFAULT);
    &level[..end.map_or(0, |last| last + 1)]
}
