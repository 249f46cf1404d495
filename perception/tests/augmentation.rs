//! Altered frames: what is altered, by how much, and that the same seed gives the same.

#![allow(clippy::unwrap_used)] // a failing helper is a failing test

use deltasteer_perception::augment::{DriveAugmentation, View};
use deltasteer_perception::{CellExtractor, Device, PerceptionConfig};
use ndarray::Array3;

const TRUNK: &[u8] = include_bytes!("../../models/trunk/efficientnet-lite0.safetensors");

fn extractor() -> CellExtractor {
    CellExtractor::load(TRUNK, &PerceptionConfig::default(), Device::Cpu).unwrap()
}

/// Bright columns at a third, so that a shift or a mirror shows.
fn frame(width: usize, height: usize) -> Array3<u8> {
    let bar = |x: usize| if x.abs_diff(width / 3) < width / 32 { [250, 200, 150] } else { [40, 60, 80] };
    Array3::from_shape_fn((height, width, 3), |(_, x, colour)| bar(x)[colour])
}

/// Mean column of the light in the picture's red.
fn centre(picture: &[f32], width: usize) -> f32 {
    let (mut sum, mut light) = (0.0, 0.0);
    for (i, pixel) in picture.chunks_exact(3).enumerate() {
        let value = (pixel[0] - 40.0).max(0.0);
        sum += value * (i % width) as f32;
        light += value;
    }
    sum / light
}

#[test]
fn the_unaltered_view_is_the_frame() {
    let (mut extractor, frame) = (extractor(), frame(640, 480));
    let plain = extractor.cells(frame.view()).unwrap();
    let wide = extractor.wide_picture(frame.view()).unwrap();
    let viewed = extractor.cells_altered(&wide, &View::default()).unwrap();
    assert!((&plain - &viewed).iter().all(|difference| difference.abs() < 1e-3));
    assert_eq!(plain, extractor.cells(frame.view()).unwrap(), "a wide picture in between changes nothing");
}

#[test]
fn geometry_moves_the_picture_the_way_it_says() {
    let wide = extractor().wide_picture(frame(512, 480).view()).unwrap();
    let middle = |view: View| centre(&wide.render(&view), 256);
    let plain = middle(View::default());
    assert!((plain - 85.0).abs() < 1.0, "{plain}");
    assert!((middle(View { mirror: true, ..View::default() }) - (255.0 - plain)).abs() < 0.1);
    assert!((middle(View { shift_right_px: 10.0, ..View::default() }) - plain - 10.0).abs() < 0.1);
    assert!((middle(View { zoom: 1.1, ..View::default() }) - (127.5 + 1.1 * (plain - 127.5))).abs() < 0.3);
    // The column stands left of the centre; turned anticlockwise, its upper half moves left.
    let turned = wide.render(&View { rotation_deg: 5.0, ..View::default() });
    let (top, bottom) = turned.split_at(turned.len() / 2);
    assert!(centre(top, 256) < plain - 1.0 && centre(bottom, 256) > plain + 1.0);
}

#[test]
fn light_shadow_blur_and_noise_do_what_they_say() {
    let wide = extractor().wide_picture(Array3::from_elem((240, 320, 3), 100).view()).unwrap();
    let mean = |view: &View| wide.render(view).iter().sum::<f32>() / (256.0 * 96.0 * 3.0);
    assert!((mean(&View { gain: 1.2, lift: 5.0, ..View::default() }) - 125.0).abs() < 0.1);
    assert!((mean(&View { gamma: 2.0, ..View::default() }) - 100.0 * 100.0 / 255.0).abs() < 0.1);
    assert!((mean(&View { blur_px: 1.5, ..View::default() }) - 100.0).abs() < 0.01);
    let shaded = View { shade: 0.5, shade_edge_px: [128.0, 128.0], ..View::default() };
    assert!((mean(&shaded) - 75.0).abs() < 0.1);
    let noisy = wide.render(&View { noise: 6.0, noise_seed: 3, ..View::default() });
    let deviation = (noisy.iter().map(|v| (v - 100.0).powi(2)).sum::<f32>() / noisy.len() as f32).sqrt();
    assert!((deviation - 6.0).abs() < 0.1, "{deviation}");
}

#[test]
fn the_angle_follows_the_view() {
    let view = View { mirror: true, shift_right_px: 10.0, ..View::default() };
    assert!((view.steering_rad(0.2, 0.003) - (-0.2 - 0.03)).abs() < 1e-6);
}

#[test]
fn the_same_seed_gives_the_same_drive() {
    let views = |seed, version| {
        let drive = DriveAugmentation::new(seed, version, 500);
        (0..500).map(|i| drive.view(i)).collect::<Vec<View>>()
    };
    assert_eq!(views(7, 5), views(7, 5));
    assert_ne!(views(7, 5), views(8, 5));
    assert_ne!(views(7, 5), views(7, 7));
    assert!(views(7, 0).iter().all(|view| *view == View::default()));
    assert!(views(7, 1).iter().all(|view| *view == View { mirror: true, ..View::default() }));
    assert!(views(7, 4).iter().all(|view| !view.mirror) && views(7, 5).iter().all(|view| view.mirror));
    for pair in views(7, 6).windows(2) {
        assert!((pair[0].shift_right_px - pair[1].shift_right_px).abs() < 1.0, "alterations drift, they do not jump");
    }
}
