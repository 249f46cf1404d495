//! Figures in words: short, rounded honestly, with units; and names that are safe to print.

use std::borrow::Cow;

/// `text` with control characters escaped, as Rust writes them (`\u{1b}`): file names and labels come from other people's disks,
/// and a terminal obeys what they hold. Line ends and tabs stay. The marks that turn the direction of writing are escaped too,
/// because they make one name look like another.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let unsafe_char = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(unsafe_char) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if unsafe_char(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// As [`escaped`], with line ends escaped too: for a name inside a line.
pub fn one_line(text: &str) -> String {
    escaped(text).replace('\n', "\\n")
}

/// A count with a decimal prefix and three significant digits: `999`, `12.3 k`, `56.4 M`.
pub fn count(value: f64) -> String {
    scaled(value, &["", " k", " M", " G", " T"], 1000.0)
}

/// Bytes with a decimal prefix: `512 B`, `4.10 kB`.
pub fn bytes(value: f64) -> String {
    scaled(value, &[" B", " kB", " MB", " GB"], 1000.0)
}

/// A time given in microseconds: `3.10 us`, `12.3 ms`.
pub fn micros(value_us: f64) -> String {
    scaled(value_us, &[" µs", " ms", " s"], 1000.0)
}

fn scaled(value: f64, units: &[&str], step: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let mut scaled = value;
    let mut unit = 0;
    while scaled.abs() >= 0.9995 * step && unit + 1 < units.len() {
        scaled /= step;
        unit += 1;
    }
    let whole = unit == 0 && scaled.fract() == 0.0;
    format!("{}{}", three_digits(scaled, whole), units[unit])
}

fn three_digits(value: f64, whole: bool) -> String {
    match value.abs() {
        _ if whole => format!("{value:.0}"),
        a if a >= 99.95 => format!("{value:.0}"),
        a if a >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// How many times less: `112x`, `9.4x`; a frame that needed nothing has no finite figure.
pub fn times(dense: f64, delta: f64) -> String {
    if dense <= 0.0 {
        return "–".to_owned();
    }
    if delta <= 0.0 {
        return "all".to_owned();
    }
    let ratio = dense / delta;
    if ratio >= 99.5 {
        format!("{}×", grouped(ratio.round() as u64))
    } else if ratio >= 9.95 {
        format!("{ratio:.0}×")
    } else {
        format!("{ratio:.1}×")
    }
}

/// A whole number with thin gaps between groups of three digits.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An angle of the steering wheel in degrees with its direction: `3.2° left`.
pub fn steering(steering_rad: f32) -> String {
    let degrees = steering_rad.to_degrees();
    match degrees {
        d if !d.is_finite() => "–".to_owned(),
        d if d.abs() < 0.05 => "0.0°".to_owned(),
        d if d > 0.0 => format!("{d:.1}° left"),
        d => format!("{:.1}° right", -d),
    }
}

/// A time in a drive: `1:02.35`, with hours where there are any.
pub fn clock(time_s: f64) -> String {
    let time_s = time_s.max(0.0);
    let hundredths = (time_s * 100.0).round() as u64;
    let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
    let seconds = format!("{:02}.{:02}", rest / 100, rest % 100);
    if minutes < 60 {
        format!("{minutes}:{seconds}")
    } else {
        format!("{}:{:02}:{seconds}", minutes / 60, minutes % 60)
    }
}

/// A share in per cent, with enough digits to tell it from nothing and from everything.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        p if !p.is_finite() => "–".to_owned(),
        0.0 => "0%".to_owned(),
        p if p.abs() < 0.1 => format!("{p:.2}%"),
        p if p.abs() < 10.0 => format!("{p:.1}%"),
        p => format!("{p:.0}%"),
    }
}

/// A word as a shell takes it.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(escaped("plain ü\n\tname"), "plain ü\n\tname");
        assert_eq!(escaped("a\x1b[2Jb\r\u{9b}c\u{202e}d\x7f"), "a\\u{1b}[2Jb\\r\\u{9b}c\\u{202e}d\\u{7f}");
        assert_eq!(one_line("two\nlines"), "two\\nlines");
    }

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(count(999.0), "999");
        assert_eq!(count(12_345.0), "12.3 k");
        assert_eq!(count(999_900.0), "1.00 M");
        assert_eq!(count(56_400_000.0), "56.4 M");
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(4_100.0), "4.10 kB");
        assert_eq!(micros(3.104), "3.10 µs");
        assert_eq!(micros(f64::NAN), "–");
    }

    #[test]
    fn savings_are_never_claimed_where_there_is_no_figure() {
        assert_eq!(times(1120.0, 10.0), "112×");
        assert_eq!(times(94.0, 10.0), "9.4×");
        assert_eq!(times(12_345_000.0, 1000.0), "12,345×");
        assert_eq!(times(10.0, 0.0), "all");
        assert_eq!(times(0.0, 0.0), "–");
        assert_eq!(times(99.4, 1.0), "99×");
    }

    #[test]
    fn angles_and_times_read_as_people_say_them() {
        assert_eq!(steering(0.1), "5.7° left");
        assert_eq!(steering(-0.1), "5.7° right");
        assert_eq!(steering(f32::NAN), "–");
        assert_eq!(clock(62.349), "1:02.35");
        assert_eq!(clock(3599.999), "1:00:00.00");
        assert_eq!(clock(-1.0), "0:00.00");
        assert_eq!(percent(0.0004), "0.04%");
        assert_eq!(percent(0.123), "12%");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("road:7,seconds=60"), "road:7,seconds=60");
        assert_eq!(shell_word("my drive/it's"), "'my drive/it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
