//! Seconds since 1970 to dates and back.

use std::time::Duration;

use crate::format::stamp::LogTime;

const DAY: i64 = 86_400;
/// Header times end with the year 2155, and so do these.
const SECONDS_END: i64 = 5_869_584_000;

/// Year, month, day, hour, minute, second; `None` before 1970 and after 2155.
pub(super) fn parts(seconds: i64) -> Option<(u16, [u8; 5])> {
    if !(0..SECONDS_END).contains(&seconds) {
        return None;
    }
    let time = LogTime::from_unix(Duration::from_secs(u64::try_from(seconds).ok()?));
    let [second, minute, hour, day, month, ..] = time.0;
    Some((time.year(), [month, day, hour, minute, second]))
}

/// The reverse of [`parts`]; `None` also for days that do not exist.
pub(super) fn seconds(year: u16, [month, day, hour, minute, second]: [u8; 5]) -> Option<i64> {
    // Years begin in March here, so that a leap day is the last of its year.
    let from_march = (i64::from(month) + 9) % 12;
    let shifted = i64::from(year) - i64::from(month <= 2);
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * from_march + 2) / 5
        + i64::from(day)
        - 1
        - 719_468;
    let of_day = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let total = days * DAY + of_day;
    // What does not come back as it was is no date.
    (parts(total)? == (year, [month, day, hour, minute, second])).then_some(total)
}

/// A time as `ctime` of Microsoft's C library spells it, in UTC and without the line end: `Fri Dec 31 18:00:00
/// 2004`, the day with two digits. `None` before 1970 and after 2155.
#[must_use]
pub fn ctime(seconds: i64) -> Option<String> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, [month, day, hour, minute, second]) = parts(seconds)?;
    let weekday = DAYS.get(usize::try_from(seconds / DAY % 7).ok()?)?;
    let month = MONTHS.get(usize::from(month).checked_sub(1)?)?;
    Some(format!(
        "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} {year}"
    ))
}
