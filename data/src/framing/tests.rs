//! Cutting a foreign camera's frames.

use ndarray::Array3;

use super::Framing;
use crate::selection::{Links, Selection, Side, Unit};

/// Pictures of 640 x 480, each a mark of its own, set into larger frames at (`left`, `top`).
fn wide_frames(folder: &std::path::Path, left: u32, top: u32, size: (u32, u32)) -> Vec<Array3<u8>> {
    let mut road = crate::open("road:5,seconds=0.2,size=640x480").unwrap();
    let mut pictures = Vec::new();
    while let Some(frame) = road.next_frame().unwrap() {
        let picture = image::RgbImage::from_raw(640, 480, crate::rgb_bytes(&frame.image).to_vec()).unwrap();
        let mut canvas = image::RgbImage::from_pixel(size.0, size.1, image::Rgb([9, 99, 199]));
        image::imageops::replace(&mut canvas, &picture, left.into(), top.into());
        canvas.save(folder.join(format!("{}.png", frame.index))).unwrap();
        pictures.push(frame.image);
    }
    pictures
}

#[test]
fn the_picture_that_the_model_knows_is_found_in_a_wider_one() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = wide_frames(folder.path(), 300, 150, (1280, 720));
    // The same lens (0.85 x 640 pixels of focal length), so a wider frame is a wider view.
    let fov_deg = 2.0 * (640.0f32 / (0.85 * 640.0)).atan().to_degrees();
    let (horizon, centre) = (150.0 + 0.45 * 480.0, 300.0 + 320.0);
    let spec = format!("fov={fov_deg},horizon={horizon},centre={centre},source={}", folder.path().display());
    let mut source = crate::open(&spec).unwrap();
    assert_eq!((source.info().width, source.info().height, source.info().name.as_str()), (640, 480, spec.as_str()));
    let camera = source.info().camera;
    assert!((camera.horizon_row - 216.0).abs() < 0.5 && (camera.centre_column - 320.0).abs() < 0.5 && camera.known);
    for (index, picture) in pictures.iter().enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(frame.index, index);
        assert!(frame.image == *picture, "frame {index}");
    }
    assert!(source.next_frame().unwrap().is_none());
    source.seek(2).unwrap();
    assert!(source.next_frame().unwrap().unwrap().image == pictures[2]);
}

#[test]
fn the_model_s_own_camera_is_not_cut_at_all() {
    let mut cut = crate::open("horizon=216,source=road:5,seconds=0.2,size=640x480").unwrap();
    let mut whole = crate::open("road:5,seconds=0.2,size=640x480").unwrap();
    assert_eq!((cut.info().width, cut.info().height), (640, 480));
    assert_eq!(cut.next_frame().unwrap(), whole.next_frame().unwrap());
}

#[test]
fn beyond_the_frame_its_edge_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 7]));
    pixels.save(folder.path().join("1.png")).unwrap();
    let file = folder.path().join("camera.json");
    std::fs::write(&file, r#"{"source": "1.png", "crop": [-10, 30, 90, 40]}"#).unwrap();
    assert!(crate::open(file.to_str().unwrap()).is_err(), "a single picture is no source");
    std::fs::write(&file, r#"{"source": ".", "crop": [-10, 30, 90, 40]}"#).unwrap();
    let mut source = crate::open(file.to_str().unwrap()).unwrap();
    assert!(source.info().notes.iter().any(|note| note.contains("repeats its edge")), "{:?}", source.info().notes);
    let image = source.next_frame().unwrap().unwrap().image;
    assert_eq!(image.dim(), (40, 90, 3));
    for row in 0..40 {
        for column in 0..90 {
            let expected = [(column as i32 - 10).clamp(0, 63) as u8, (row as i32 + 30).clamp(0, 47) as u8, 7];
            assert_eq!([0, 1, 2].map(|k| image[[row, column, k]]), expected, "column {column}, row {row}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let message = |spec: &str| crate::open(spec).err().unwrap().to_string();
    assert!(message("fov=wide,source=road:1").contains("fov"));
    assert!(message("fov=0,source=road:1").contains("10 to 170"));
    assert!(message("fov=60,zoom=2,source=road:1").contains("zoom"));
    assert!(message("crop=1:2:3,source=road:1").contains("LEFT:TOP:WIDTH:HEIGHT"));
    assert!(message("crop=0:0:10:0,source=road:1").contains("above zero"));
    assert!(message("crop=9000:0:320:240,source=road:1").contains("within the frame"));
    assert!(message("crop=0:0:2000000000:2000000000,source=road:1").contains("within the frame"));
    assert!(message("horizon=NaN,source=road:1").contains("finite"));
    assert!(message("fov=60,source=/no/such/thing").contains("/no/such/thing"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("camera.json");
    for text in ["", "[]", "{\"fov_deg\": 60}", "{\"source\": \"road:1\", \"zoom\": 2}"] {
        std::fs::write(&file, text).unwrap();
        let message = message(file.to_str().unwrap());
        assert!(message.contains("camera.json") && message.contains("fov_deg"), "{message}");
    }
    // A file that names itself must not be opened for ever.
    std::fs::write(&file, "{\"source\": \"camera.json\", \"fov_deg\": 60}").unwrap();
    assert!(message(file.to_str().unwrap()).contains("camera.json"));
}

#[test]
fn the_text_form_and_the_fields_say_the_same() {
    let framing = Framing {
        source: "http://cam/a,b".into(),
        fov_deg: Some(82.5),
        horizon_row: Some(211.0),
        centre_column: Some(330.0),
        crop: Some([-4, 5, 600, 450]),
        selection: Selection {
            camera: Some("/cam".into()),
            steering: Some("/car.angle[1]".into()),
            unit: Some(Unit::Deg),
            sign: Some(Side::Right),
            episode: Some(3),
            links: Some(Links::Follow),
        },
    };
    assert_eq!(Framing::parse(&framing.spec()).unwrap().unwrap(), framing);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("camera.json");
    let text =
        r#"{"source": "x.mcap", "selection": {"steering": "/car.angle", "unit": "deg", "sign": "left", "episode": 2}}"#;
    std::fs::write(&file, text).unwrap();
    assert_eq!(Framing::read(&file).unwrap().spec(), "steering=/car.angle,unit=deg,sign=left,episode=2,source=x.mcap");
    for (option, named) in [
        ("unit=grad", "rad, deg or command"),
        ("sign=up", "left or right"),
        ("episode=-1", "from 0"),
        ("links=all", "inside or follow"),
    ] {
        let message = crate::open(&format!("{option},source=x.mcap")).err().unwrap().to_string();
        assert!(message.contains(named), "{message}");
    }
    let message = crate::open("episode=1,source=road:1").err().unwrap().to_string();
    assert!(message.contains("episode=1") && message.contains("road:1"), "{message}");
    let bare = Framing { source: "camera:0".into(), ..Framing::default() };
    assert_eq!(bare.spec(), "camera:0");
    assert!(Framing::parse("camera:0").is_none() && Framing::parse("road:1,seconds=2").is_none());
}
