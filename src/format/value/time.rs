//! Dates: eight bytes that the engine calls an OLE date, and that some applications and the catalog
//! itself fill with a FILETIME. [format notes 7.3]

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::format::stamp::LogTime;

const MS_PER_DAY: i64 = 86_400_000;
/// Days from 1970-01-01 back to 1899-12-30, where OLE dates count from.
const OLE_EPOCH: i64 = -25_569;
/// The OLE dates of the years 100 to 9999.
const OLE_RANGE: std::ops::Range<f64> = -657_434.0..2_958_466.0;
/// Smaller values than a tenth of a millisecond are not times but other things read as a double; a
/// FILETIME of our days would be about 1e-300.
const OLE_LEAST: f64 = 1e-9;
/// 100-nanosecond steps of a day, and days from 1970-01-01 back to 1601-01-01.
const TICKS_PER_MS: u64 = 10_000;
const FILETIME_EPOCH: i64 = -134_774;
/// FILETIMEs from 1970 to the end of 2200: narrower than what can be, so that little else passes.
const FILETIME_RANGE: std::ops::Range<u64> = 116_444_736_000_000_000..189_657_504_000_000_000;

/// A date as stored; what its bits mean is the application's matter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(u64);

impl DateTime {
    /// The eight bytes as a number.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The eight bytes as a number.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The OLE date as ISO 8601 without a zone, if the bits can be one.
    #[must_use]
    pub fn ole_iso(self) -> Option<String> {
        let date = f64::from_bits(self.0);
        if !OLE_RANGE.contains(&date) || (date != 0.0 && date.abs() < OLE_LEAST) {
            return None;
        }
        // The time of day counts forward also before the epoch: -1.25 is 06:00 on the day before.
        let day = date.trunc();
        let time = ((date - day).abs() * MS_PER_DAY as f64).round();
        Some(iso(OLE_EPOCH * MS_PER_DAY
            + day as i64 * MS_PER_DAY
            + time as i64))
    }

    /// The FILETIME as ISO 8601 (UTC), if the bits can be one of our days.
    #[must_use]
    pub fn filetime_iso(self) -> Option<String> {
        if !FILETIME_RANGE.contains(&self.0) {
            return None;
        }
        let since = i64::try_from(self.0 / TICKS_PER_MS).ok()?;
        Some(iso(FILETIME_EPOCH * MS_PER_DAY + since) + "Z")
    }

    /// The FILETIME in the form of header times; unset for zero and for what is no time.
    #[must_use]
    pub fn filetime_log_time(self) -> LogTime {
        if !FILETIME_RANGE.contains(&self.0) {
            return LogTime::default();
        }
        let ms = FILETIME_EPOCH * MS_PER_DAY + (self.0 / TICKS_PER_MS) as i64;
        let (days, ms) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
        let (year, month, day) = civil(days);
        let date = (year as u16, month as u8, day as u8);
        let time = (
            (ms / 3_600_000) as u8,
            (ms / 60_000 % 60) as u8,
            (ms / 1000 % 60) as u8,
        );
        LogTime::utc(date, time, (ms % 1000) as u16)
    }
}

/// ISO 8601 of milliseconds since 1970, with a fraction only where there is one.
fn iso(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(MS_PER_DAY), ms.rem_euclid(MS_PER_DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if ms % 1000 != 0 {
        text += &format!(".{:03}", ms % 1000);
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01 (the era arithmetic of the Gregorian
/// calendar: 146097 days in 400 years that start in March).
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ole_iso().or_else(|| self.filetime_iso()) {
            Some(iso) => f.write_str(&iso),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DateTime({:#x})", self.0)
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("DateTime", 2)?;
        fields.serialize_field("raw", &self.0)?;
        match (self.ole_iso(), self.filetime_iso()) {
            (Some(iso), _) => fields.serialize_field("iso", &iso)?,
            (None, Some(iso)) => fields.serialize_field("filetime", &iso)?,
            (None, None) => {}
        }
        fields.end()
    }
}
