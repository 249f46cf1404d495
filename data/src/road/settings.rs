//! Length, size and rate of a built-in drive, and how they are written: `SEED[,seconds=N][,size=WxH][,rate=HZ]`.

use crate::DataError;

/// Longest drive in seconds: one day's memory of labels stays small.
const MAX_SECONDS: f64 = 86_400.0;
/// Largest side of a frame in pixels.
const MAX_SIDE: usize = 8_192;
/// Fastest camera in frames a second.
const MAX_RATE_HZ: f64 = 1_000.0;

/// Length, size and rate of a built-in drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoadSettings {
    /// Length of the drive; there are `round(seconds * rate_hz)` frames, at least one.
    pub seconds: f64,
    /// Columns of a frame.
    pub width: usize,
    /// Rows of a frame.
    pub height: usize,
    /// Frames a second.
    pub rate_hz: f64,
}

impl Default for RoadSettings {
    fn default() -> Self {
        Self { seconds: 60.0, width: 320, height: 160, rate_hz: 20.0 }
    }
}

impl RoadSettings {
    /// Reads `SEED[,seconds=N][,size=WxH][,rate=HZ]`.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] naming the option.
    pub fn parse(text: &str) -> Result<(u64, Self), DataError> {
        let mut parts = text.split(',');
        let seed_text = parts.next().unwrap_or_default();
        let seed = seed_text
            .parse()
            .map_err(|_| bad("the seed (road:SEED)", seed_text, "a whole number from 0 to 18446744073709551615"))?;
        let mut settings = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| bad("an option", part, "seconds=N, size=WxH or rate=HZ, separated by commas"))?;
            if seen.contains(&key) {
                return Err(bad(&format!("option '{key}'"), part, "each option at most once"));
            }
            settings.set(key, value)?;
            seen.push(key);
        }
        settings.check()?;
        Ok((seed, settings))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), DataError> {
        match key {
            "seconds" => self.seconds = number(key, value)?,
            "rate" => self.rate_hz = number(key, value)?,
            "size" => {
                let sides = value.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
                (self.width, self.height) =
                    sides.ok_or_else(|| bad("option 'size'", value, "WIDTHxHEIGHT in pixels, such as 320x160"))?;
            }
            _ => return Err(bad(&format!("option '{key}'"), value, "one of the options seconds, size, rate")),
        }
        Ok(())
    }

    /// Checks that the figures make sense.
    ///
    /// # Errors
    /// [`DataError::BadSpec`] naming the option.
    pub fn check(&self) -> Result<(), DataError> {
        if !(self.seconds > 0.0 && self.seconds <= MAX_SECONDS) {
            return Err(bad("option 'seconds'", &self.seconds.to_string(), "more than 0 and at most 86400"));
        }
        if !(self.rate_hz >= 0.1 && self.rate_hz <= MAX_RATE_HZ) {
            return Err(bad("option 'rate'", &self.rate_hz.to_string(), "0.1 to 1000 frames a second"));
        }
        if !(1..=MAX_SIDE).contains(&self.width) || !(1..=MAX_SIDE).contains(&self.height) {
            let given = format!("{}x{}", self.width, self.height);
            return Err(bad("option 'size'", &given, "sides of 1 to 8192 pixels"));
        }
        Ok(())
    }

    /// Number of frames, at least one.
    pub fn frame_count(&self) -> usize {
        ((self.seconds * self.rate_hz).round() as usize).max(1)
    }
}

fn number(key: &str, value: &str) -> Result<f64, DataError> {
    value.parse().map_err(|_| bad(&format!("option '{key}'"), value, "a number"))
}

fn bad(option: &str, given: &str, expected: &str) -> DataError {
    DataError::BadSpec {
        option: format!("built-in road: {option}"),
        given: given.to_owned(),
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        assert_eq!(RoadSettings::parse("7").unwrap(), (7, RoadSettings::default()));
        let (seed, s) = RoadSettings::parse("1,seconds=2.5,size=64x48,rate=10").unwrap();
        assert_eq!((seed, s.frame_count(), s.width, s.height), (1, 25, 64, 48));
    }

    #[test]
    fn a_bad_option_is_named() {
        for (text, named) in [
            ("", "seed"),
            ("x", "seed"),
            ("-1", "seed"),
            ("1.5", "seed"),
            ("1,", "option"),
            ("1,fast", "option"),
            ("1,seconds=", "'seconds'"),
            ("1,seconds=0", "'seconds'"),
            ("1,seconds=-3", "'seconds'"),
            ("1,seconds=NaN", "'seconds'"),
            ("1,seconds=inf", "'seconds'"),
            ("1,seconds=1e9", "'seconds'"),
            ("1,rate=0", "'rate'"),
            ("1,rate=abc", "'rate'"),
            ("1,rate=NaN", "'rate'"),
            ("1,size=320", "'size'"),
            ("1,size=0x160", "'size'"),
            ("1,size=320x", "'size'"),
            ("1,size=99999x99999", "'size'"),
            ("1,size=10x10,size=20x20", "'size'"),
            ("1,colour=red", "'colour'"),
        ] {
            let error = RoadSettings::parse(text).expect_err(text).to_string();
            assert!(error.contains(named) && error.contains("built-in road"), "{text}: {error}");
        }
    }
}
