//! Dates and times of day as some recordings write them.

/// Seconds since 1970 of a date and time given as seven whole numbers with anything between them: year, month, day, hour,
/// minute, second, milliseconds (`2018-07-01 17:09:44:912`, `center_2016_12_01_13_30_48_287`). `None` if there are not
/// exactly seven, or one is out of its range. No time zone is known, and only differences are used.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let mut next = |range: std::ops::RangeInclusive<i64>| {
        parts.next().filter(|part| part.len() <= 4)?.parse().ok().filter(|value| range.contains(value))
    };
    let days = days_since_1970(next(1970..=9999)?, next(1..=12)?, next(1..=31)?);
    let (hour, minute, second, millisecond) = (next(0..=23)?, next(0..=59)?, next(0..=60)?, next(0..=999)?);
    if parts.next().is_some() {
        return None;
    }
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) as f64 + millisecond as f64 * 1e-3)
}

/// Days from 1970-01-01 in the Gregorian calendar: years are counted from March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    // 153 days in each five months from March; 719,468 days from 0000-03-01 to 1970-01-01.
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        assert_eq!(seconds("1970-01-01 00:00:00:000"), Some(0.0));
        assert_eq!(seconds("2018-07-01 17:09:44:912"), Some(1_530_464_984.912));
        assert_eq!(seconds("center_2016_12_01_13_30_48_287"), Some(1_480_599_048.287));
        assert_eq!(seconds("2000-02-29 00:00:00:000"), Some(951_782_400.0));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "12.jpg",
            "2018-13-01 17:09:44:912",
            "2018-07-01 17:09:44",
            "2018-07-01 17:09:44:912:1",
            "99999999999999999999",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
