//! Pictures of the window without a display.

use deltasteer::pipeline::Pace;
use deltasteer::window::{Overlay, Place, Screenshot, Start, screenshot};

use crate::model;

#[test]
fn a_screenshot_has_its_size_its_theme_and_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    model::write(&model);
    let start = Start {
        source: "road:3,seconds=6".to_owned(),
        model,
        theta_x: None,
        theta_h: None,
        pace: Pace::Unpaced,
        playing: true,
        place: Place::Seconds(2.0),
    };
    let mut lightness = Vec::new();
    for (dark, size) in [(true, [960, 600]), (false, [1280, 720])] {
        let picture = Screenshot {
            file: folder.path().join("window.png"),
            at_s: 2.0,
            size,
            dark,
            overlays: vec![Overlay::PredictedPath, Overlay::Wheels],
            compare: false,
            lecture: false,
        };
        screenshot(start.clone(), &picture).unwrap();
        let image = image::open(&picture.file).unwrap().to_rgb8();
        assert_eq!([image.width() as usize, image.height() as usize], size);
        let colours: std::collections::HashSet<_> = image.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.len() > 2000, "a frame has many colours; found {}", colours.len());
        lightness.push(
            image.pixels().map(|pixel| u64::from(pixel.0[1])).sum::<u64>() / u64::from(image.width() * image.height()),
        );
    }
    assert!(lightness[1] > lightness[0] + 60, "dark and light: {lightness:?}");
    let late = Screenshot {
        file: folder.path().join("late.png"),
        at_s: 7.0,
        size: [960, 600],
        dark: true,
        overlays: Vec::new(),
        compare: false,
        lecture: false,
    };
    let error = screenshot(start, &late).unwrap_err().to_string();
    assert!(error.contains("--at 7"), "{error}");
    assert!(!late.file.exists());
}
