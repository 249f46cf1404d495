//! The speech examples read recordings, and refuse what they cannot use by name.
#![allow(clippy::unwrap_used, missing_docs)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

#[path = "../examples/common/audio.rs"]
mod audio;
mod common {
    pub(crate) use super::audio;
}
#[path = "../examples/spoken_digits/recordings.rs"]
mod recordings;

use std::path::Path;

use common::audio::{BANDS, log_mel, read_wav};

/// A mono or stereo file of a tone.
fn write(path: &Path, rate: u32, channels: u16, samples: usize) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..samples * channels as usize {
        writer.write_sample((8000.0 * (i as f32 * 0.3).sin()) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

#[test]
fn unusable_recordings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    for (rate, channels, samples, expected) in [
        (16_000, 1, 800, "16000 Hz, 1 channels, 16 bits; expected 8000 Hz"),
        (8000, 2, 800, "2 channels"),
        (8000, 1, 0, "no samples"),
    ] {
        write(&path, rate, channels, samples);
        let error = format!("{:#}", read_wav(&path, 8000).unwrap_err());
        assert!(error.contains("a.wav") && error.contains(expected), "{error}");
    }
    write(&path, 8000, 1, 800);
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 20, bytes.len() - 101] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = format!("{:#}", read_wav(&path, 8000).unwrap_err());
        assert!(error.contains("a.wav"), "{length}: {error}");
    }
    for (name, expected) in [
        ("11_x_0.wav", "label 11 is not in the set"),
        ("seven_x_0.wav", "label seven"),
        ("7.wav", "DIGIT_SPEAKER_TAKE"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join(name), 8000, 1, 800);
        let error = format!("{:#}", recordings::fsdd(folder.path()).err().unwrap());
        assert!(error.contains(expected), "{error}");
    }
}

/// A tone is loudest in the band that holds its frequency; 25 ms windows every 10 ms.
#[test]
fn energies_stand_where_the_tone_is() {
    let tone =
        |hz: f32| -> Vec<f32> { (0..4000).map(|i| (i as f32 * hz * std::f32::consts::TAU / 8000.0).sin()).collect() };
    let loudest = |hz: f32| {
        let features = log_mel(&tone(hz), 8000);
        assert_eq!(features.dim(), (1 + (4000 - 200) / 80, BANDS));
        let row = features.row(20);
        (0..BANDS).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    };
    let bands = [200.0, 500.0, 1000.0, 2000.0, 3500.0].map(loudest);
    assert!(bands.is_sorted() && bands[0] < 8 && bands[4] > 34, "{bands:?}");
    assert_eq!(log_mel(&[0.5; 10], 8000).nrows(), 1);
}

#[test]
fn a_fifth_of_the_digits_is_read() {
    let folder = std::env::var_os("DELTASTEER_DATA").map(|root| Path::new(&root).join("fsdd/recordings"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("SKIPPED: DELTASTEER_DATA is not set, or has no fsdd");
        return;
    };
    let recordings = recordings::fsdd(&folder).unwrap();
    assert_eq!(recordings.len(), 600);
    for group in 0..2 {
        assert_eq!(recordings.iter().filter(|r| r.group("folds") == group).count(), 300);
    }
    for speaker in 0..6 {
        let of: Vec<_> = recordings.iter().filter(|r| r.group("speakers") == speaker).collect();
        assert!(of.len() == 100 && (0..10).all(|class| of.iter().filter(|r| r.class == class).count() == 10));
    }
    assert!(recordings.iter().all(|r| r.features.ncols() == BANDS && r.features.iter().all(|x| x.is_finite())));
    assert!(recordings::words(&folder).is_err());
}
