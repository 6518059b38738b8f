//! Small stamps that headers share: log positions, log times, signatures, backup marks.

use std::fmt;

use binrw::binrw;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::Generation;

/// A position in the log stream, 8 bytes: u16 byte in sector, u16 sector, i32 generation.
/// Ordered by generation, sector, byte. [format notes, verified]
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lgpos {
    /// Byte offset inside the sector.
    pub ib: u16,
    /// Sector number from the start of the log file.
    pub isec: u16,
    /// Log generation.
    pub generation: Generation,
}

impl Lgpos {
    /// Makes a position from its three parts, in the order in which they are printed.
    #[must_use]
    pub const fn new(generation: Generation, isec: u16, ib: u16) -> Self {
        Self {
            ib,
            isec,
            generation,
        }
    }

    /// True for the position that means "never".
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl PartialOrd for Lgpos {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lgpos {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.generation, self.isec, self.ib).cmp(&(other.generation, other.isec, other.ib))
    }
}

impl fmt::Display for Lgpos {
    /// Eseutil's form: `(0xA,8,695)`, all three in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "(0x{:X},{:X},{:X})",
            self.generation.get(),
            self.isec,
            self.ib
        )
    }
}

impl fmt::Debug for Lgpos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Lgpos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Lgpos", 3)?;
        out.serialize_field("generation", &self.generation)?;
        out.serialize_field("sector", &self.isec)?;
        out.serialize_field("byte", &self.ib)?;
        out.end()
    }
}

/// A wall clock time, 8 bytes. All zero means "never".
///
/// Layout: seconds, minutes, hours, day, month (1-based in every real file, although engine comments
/// say 0-based), year - 1900, then two bytes: bit 0 of the first says UTC, its bits 1-7 are the low
/// 7 bits of the milliseconds, bits 1-3 of the second the high 3 bits. [format notes, verified]
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogTime(pub [u8; 8]);

impl LogTime {
    /// Builds a UTC time; months and days are 1-based.
    #[must_use]
    pub const fn utc(date: (u16, u8, u8), time: (u8, u8, u8), millis: u16) -> Self {
        let (year, month, day) = date;
        let (hours, minutes, seconds) = time;
        Self([
            seconds,
            minutes,
            hours,
            day,
            month,
            (year.saturating_sub(1900)) as u8,
            1 | (((millis & 0x7F) as u8) << 1),
            (((millis >> 7) & 7) as u8) << 1,
        ])
    }

    /// The UTC time that lies `since_1970` behind the start of 1970.
    #[must_use]
    pub fn from_unix(since_1970: std::time::Duration) -> Self {
        let seconds = since_1970.as_secs();
        let (days, of_day) = (seconds / 86_400, (seconds % 86_400) as u32);
        // Years begin in March here, so that a leap day is the last of its year.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = year + era * 400 + u64::from(month <= 2);
        Self::utc(
            (year as u16, month as u8, day as u8),
            (
                (of_day / 3600) as u8,
                (of_day / 60 % 60) as u8,
                (of_day % 60) as u8,
            ),
            since_1970.subsec_millis() as u16,
        )
    }

    /// True when a time is set at all.
    #[must_use]
    pub fn is_set(self) -> bool {
        self != Self::default()
    }

    /// True when the time is UTC, false when it is the server's local time.
    #[must_use]
    pub const fn is_utc(self) -> bool {
        self.0[6] & 1 != 0
    }

    /// Milliseconds, 0 to 1023 (the field has 10 bits).
    #[must_use]
    pub const fn millis(self) -> u16 {
        (self.0[6] >> 1) as u16 | (((self.0[7] >> 1) & 7) as u16) << 7
    }

    /// The calendar year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.0[5] as u16 + 1900
    }

    /// The time without its zone: `MM/DD/YYYY HH:MM:SS.mmm`, as signatures print it.
    #[must_use]
    pub fn without_zone(self) -> String {
        let [seconds, minutes, hours, day, month, ..] = self.0;
        format!(
            "{month:02}/{day:02}/{:04} {hours:02}:{minutes:02}:{seconds:02}.{:03}",
            self.year(),
            self.millis()
        )
    }
}

impl fmt::Display for LogTime {
    /// Eseutil's form: `11/20/2026 09:12:38.761 UTC`; unset is `00/00/1900 00:00:00.000 LOC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.without_zone(),
            if self.is_utc() { "UTC" } else { "LOC" }
        )
    }
}

impl fmt::Debug for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for LogTime {
    /// ISO 8601; `null` when unset; without `Z` when it is local time.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.is_set() {
            return serializer.serialize_none();
        }
        let [seconds, minutes, hours, day, month, ..] = self.0;
        serializer.collect_str(&format_args!(
            "{:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}{}",
            self.year(),
            self.millis(),
            if self.is_utc() { "Z" } else { "" }
        ))
    }
}

impl<'de> Deserialize<'de> for LogTime {
    /// The form that is written; bits of the stamp that mean nothing do not come back.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        let local = text.strip_suffix('Z').unwrap_or(&text);
        let numbers: Vec<u16> = local
            .split(['-', 'T', ':', '.'])
            .map(|part| part.parse::<u16>().map_err(D::Error::custom))
            .collect::<Result<_, _>>()?;
        let [year, month, day, hours, minutes, seconds, millis] = numbers[..] else {
            return Err(D::Error::custom("not a time"));
        };
        let date = (year, month as u8, day as u8);
        let mut time = Self::utc(date, (hours as u8, minutes as u8, seconds as u8), millis);
        if local.len() == text.len() {
            time.0[6] &= !1;
        }
        Ok(time)
    }
}

/// The identity of a database or of a log stream, 28 bytes: a random number, the time of creation,
/// a computer name that is empty in every file seen. [format notes, verified]
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Signature {
    /// The random part.
    pub random: u32,
    /// When it was made.
    pub created: LogTime,
    /// Computer name, ASCII, zero-padded.
    pub computer: [u8; 16],
}

impl Signature {
    /// True when the signature is not all zero.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// A new identity, made now. Its number is random enough that no two files share it by accident.
    #[must_use]
    pub fn fresh(now: LogTime) -> Self {
        use std::hash::{BuildHasher as _, Hasher as _};
        let random = std::collections::hash_map::RandomState::new();
        Self {
            random: random.build_hasher().finish() as u32,
            created: now,
            computer: [0; 16],
        }
    }

    /// The computer name up to the first zero byte.
    #[must_use]
    pub fn computer_name(&self) -> String {
        let end = self
            .computer
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(self.computer.len());
        String::from_utf8_lossy(&self.computer[..end]).into_owned()
    }
}

impl fmt::Display for Signature {
    /// Eseutil's form: `Create time:11/20/2026 09:12:38.551 Rand:2509599380 Computer:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Create time:{} Rand:{} Computer:{}",
            self.created.without_zone(),
            self.random,
            self.computer_name()
        )
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.is_set() {
            return serializer.serialize_none();
        }
        use serde::ser::SerializeStruct as _;
        let mut out = serializer.serialize_struct("Signature", 3)?;
        out.serialize_field("random", &self.random)?;
        out.serialize_field("created", &self.created)?;
        out.serialize_field("computer", &self.computer_name())?;
        out.end()
    }
}

impl<'de> Deserialize<'de> for Signature {
    /// The form that is written; null is a signature that is not set.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            random: u32,
            created: LogTime,
            computer: String,
        }
        let Some(written) = Option::<Written>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        let mut computer = [0; 16];
        for (to, from) in computer.iter_mut().zip(written.computer.bytes()) {
            *to = from;
        }
        Ok(Self {
            random: written.random,
            created: written.created,
            computer,
        })
    }
}

/// What a header remembers of one backup, 24 bytes. [format notes, verified]
#[binrw]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize)]
pub struct BackupInfo {
    /// Where in the log the backup was marked.
    pub mark: Lgpos,
    /// When.
    pub time: LogTime,
    /// First generation that belongs to it.
    pub low: Generation,
    /// Last generation that belongs to it; 0 while the backup is not finished.
    pub high: Generation,
}

#[cfg(test)]
mod tests {
    use super::{Lgpos, LogTime, Signature};
    use crate::format::ids::Generation;

    #[test]
    fn what_is_written_as_json_can_be_read() {
        for utc in [true, false] {
            let mut time = LogTime::utc((2026, 11, 20), (9, 12, 38), 761);
            time.0[6] |= 1;
            if !utc {
                time.0[6] &= !1;
            }
            let mut computer = [0; 16];
            computer[..3].copy_from_slice(b"EX1");
            let signature = Signature {
                random: u32::MAX,
                created: time,
                computer,
            };
            let text = serde_json::to_string(&signature).unwrap();
            assert_eq!(serde_json::from_str::<Signature>(&text).unwrap(), signature);
        }
        let unset: Signature = serde_json::from_str("null").unwrap();
        assert!(!unset.is_set());
        let never: LogTime = serde_json::from_str("null").unwrap();
        assert!(!never.is_set());
        for wrong in ["\"2026-11-20\"", "\"a-b-cTd:e:f.g\"", "5"] {
            assert!(serde_json::from_str::<LogTime>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn time_prints_as_eseutil_does() {
        let time = LogTime::utc((2026, 11, 20), (9, 12, 38), 761);
        assert_eq!(time.to_string(), "11/20/2026 09:12:38.761 UTC");
        assert_eq!(time.millis(), 761);
        assert_eq!(
            LogTime::default().to_string(),
            "00/00/1900 00:00:00.000 LOC"
        );
    }

    #[test]
    fn days_are_counted_right() {
        let at = |seconds: u64, millis: u64| {
            LogTime::from_unix(std::time::Duration::from_millis(seconds * 1000 + millis))
                .to_string()
        };
        assert_eq!(at(0, 0), "01/01/1970 00:00:00.000 UTC");
        assert_eq!(at(951_827_696, 7), "02/29/2000 12:34:56.007 UTC");
        assert_eq!(at(1_709_251_199, 999), "02/29/2024 23:59:59.999 UTC");
        assert_eq!(at(1_709_251_200, 0), "03/01/2024 00:00:00.000 UTC");
        assert_eq!(at(4_102_444_800, 0), "01/01/2100 00:00:00.000 UTC");
    }

    #[test]
    fn positions_order_by_generation_first() {
        let early = Lgpos::new(Generation::new(2), 9, 9);
        let late = Lgpos::new(Generation::new(3), 1, 0);
        assert!(early < late);
        assert_eq!(late.to_string(), "(0x3,1,0)");
    }
}
