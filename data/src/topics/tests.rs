//! Messages and recordings that the tests of this crate write.

use super::schema::{Field, Schema, parse_path};
use super::*;

/// Fields one after another as CDR has them, little- or big-endian.
pub(crate) struct Cdr {
    bytes: Vec<u8>,
    big: bool,
}

impl Cdr {
    pub(crate) fn new(big: bool) -> Self {
        Self { bytes: vec![0, u8::from(!big), 0, 0], big }
    }

    fn put(mut self, little: &[u8]) -> Self {
        while !(self.bytes.len() - 4).is_multiple_of(little.len()) {
            self.bytes.push(0);
        }
        match self.big {
            true => self.bytes.extend(little.iter().rev()),
            false => self.bytes.extend(little),
        }
        self
    }

    pub(crate) fn u8(self, value: u8) -> Self {
        self.put(&[value])
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn f32(self, value: f32) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn f64(self, value: f64) -> Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn text(self, text: &str) -> Self {
        let mut cdr = self.u32(text.len() as u32 + 1);
        cdr.bytes.extend(text.as_bytes());
        cdr.bytes.push(0);
        cdr
    }

    pub(crate) fn list(self, bytes: &[u8]) -> Self {
        let mut cdr = self.u32(bytes.len() as u32);
        cdr.bytes.extend(bytes);
        cdr
    }

    /// `std_msgs/Header`.
    pub(crate) fn header(self, stamp_ns: u64) -> Self {
        self.u32((stamp_ns / 1_000_000_000) as u32).u32((stamp_ns % 1_000_000_000) as u32).text("car")
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.bytes
    }
}

/// A definition as rosbag2 writes it.
pub(crate) const STATE: &str = "std_msgs/Header header\nbool on\nstring[] names # of joints\nfloat64[] position\nWheel[2] wheels\n\
    uint8 LEFT=1\nfloat32 gain 1.5\n================================================================================\n\
    MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n================================================================================\n\
    MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n================================================================================\n\
    MSG: car_msgs/Wheel\nfloat32 angle_deg\nuint8 kind\n";

/// A message of [`STATE`], whose second position is `value` and whose second wheel stands at `value` as well.
pub(crate) fn state(stamp_ns: u64, value: f64, big: bool) -> Vec<u8> {
    let cdr = Cdr::new(big).header(stamp_ns).u8(1).u32(2).text("a").text("bcd").u32(2).f64(9.0).f64(value);
    cdr.f32(1.0).u8(7).f32(value as f32).u8(8).f32(0.5).done()
}

/// `sensor_msgs/msg/CompressedImage`.
pub(crate) fn compressed(stamp_ns: u64, jpeg: &[u8]) -> Vec<u8> {
    Cdr::new(false).header(stamp_ns).text("jpeg").list(jpeg).done()
}

fn number(schema: &Schema, message: &[u8], path: &str) -> Option<f64> {
    match schema.read(message).unwrap().get(&parse_path(path).unwrap()).unwrap()? {
        Field::Number(value) => Some(value),
        _ => None,
    }
}

#[test]
fn fields_of_a_cdr_message_in_both_byte_orders() {
    let schema = Schema::new("cdr", "car_msgs/msg/State", "ros2msg", STATE.as_bytes()).unwrap();
    for big in [false, true] {
        let message = state(5_000_000_007, -0.25, big);
        let values = [
            ("header.stamp.sec", Some(5.0)),
            ("header.stamp.nanosec", Some(7.0)),
            ("on", Some(1.0)),
            ("position[0]", Some(9.0)),
            ("position[1]", Some(-0.25)),
            ("position[2]", None),
            ("position", None),
            ("wheels[1].angle_deg", Some(-0.25)),
            ("wheels[1].kind", Some(8.0)),
            ("wheels[2].kind", None),
            ("gain", Some(0.5)),
            ("LEFT", None),
            ("names", None),
            ("header.frame_id.x", None),
        ];
        for (path, value) in values {
            assert_eq!(number(&schema, &message, path), value, "{path}");
        }
        let read = schema.read(&message).unwrap();
        assert_eq!((read.stamp_ns(), read.text("names[1]").as_deref()), (Some(5_000_000_007), Some("bcd")));
        for cut in 0..message.len() - 1 {
            let read = schema.read(&message[..cut]).unwrap();
            assert!(read.get(&parse_path("gain").unwrap()).is_err(), "{cut}");
        }
    }
    let expected = ["on (bool)", "position[0] (f64)", "wheels[0].angle_deg (f32)", "wheels[0].kind (u8)", "gain (f32)"];
    assert_eq!(schema.numbers(40), expected);
}

#[test]
fn what_a_definition_cannot_mean_is_refused() {
    for (text, named) in [
        ("Wheel wheel", "car_msgs/Wheel"),
        ("float32", "float32"),
        ("uint8[99999999999] x", "99999999999"),
        ("uint8[0] x", "uint8[0]"),
        ("wstring x", "wstring"),
    ] {
        let refused = Schema::new("cdr", "car_msgs/msg/State", "ros2msg", text.as_bytes()).unwrap_err();
        assert!(refused.contains(named.trim_start_matches("car_msgs/")), "{text}: {refused}");
    }
    assert!(Schema::new("cdr", "a/msg/B", "ros2idl", b"module a {}").unwrap_err().contains("ros2idl"));
    assert!(Schema::new("cbor", "a", "", b"").unwrap_err().contains("cbor"));
    // A type that holds itself, and a list that claims more than there is.
    let schema = Schema::new("cdr", "a/msg/B", "ros2msg", b"a/B b\na/B c").unwrap();
    assert!(schema.read(&[0, 1, 0, 0, 1]).unwrap().get(&parse_path("c").unwrap()).is_err());
    let schema = Schema::new("cdr", "a/msg/B", "ros2msg", b"C[] c\nuint8 x\n====\nMSG: a/C").unwrap();
    let message = Cdr::new(false).u32(u32::MAX).u8(1).done();
    assert!(schema.read(&message).unwrap().get(&parse_path("x").unwrap()).unwrap_err().contains("longer"));
}

#[test]
fn a_ros1_message_is_read_without_alignment() {
    let text =
        "Header header\nuint8 on\nfloat32 angle\n====\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n";
    let schema = Schema::new("ros1", "car_msgs/Angle", "ros1msg", text.as_bytes()).unwrap();
    let mut message = [3u32, 12, 500, 3].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    message.extend(b"car\x01");
    message.extend(0.75f32.to_le_bytes());
    assert_eq!(number(&schema, &message, "angle"), Some(0.75));
    assert_eq!(schema.read(&message).unwrap().stamp_ns(), Some(12_000_000_500));
}

#[test]
fn paths_are_names_and_indices() {
    let steps = parse_path("wheels[12].angle").unwrap();
    assert_eq!((steps[0].name.as_str(), steps[0].index, steps[1].index), ("wheels", Some(12), None));
    assert!(["", "a..b", "a[", "a[x]", "[1]", "a[1]b"].iter().all(|path| parse_path(path).is_none()));
}

/// Messages in memory; `data` is empty at a message that is damaged.
struct Memory {
    topics: Vec<Topic>,
    messages: Vec<(usize, u64, Vec<u8>)>,
}

impl Container for Memory {
    fn topics(&self) -> &[Topic] {
        &self.topics
    }

    fn read(&self, wanted: &[bool], visit: Visit<'_>, _: &mut Vec<String>) -> Result<(), String> {
        for (position, (topic, log_ns, data)) in self.messages.iter().enumerate().filter(|(_, m)| wanted[m.0]) {
            visit(Seen {
                topic: *topic,
                at: At { file: 0, position: position as u64, offset: 0 },
                log_ns: *log_ns,
                data,
            });
        }
        Ok(())
    }

    fn message(&self, at: At) -> Result<Vec<u8>, String> {
        Ok(self.messages[at.position as usize].2.clone())
    }
}

fn topic(name: &str, kind: &str, text: &str) -> Topic {
    let language = if text.is_empty() { "" } else { "ros2msg" };
    Topic {
        name: name.to_owned(),
        kind: kind.to_owned(),
        schema: Schema::new("cdr", kind, language, text.as_bytes()),
        count: None,
    }
}

/// Ten frames at 20 Hz from 100 s on, recorded 0.3 s late; the wheel is read at 40 Hz.
fn memory() -> Memory {
    let topics = vec![
        topic("/cam/rear", "sensor_msgs/msg/CompressedImage", ""),
        topic("/cam/front", "sensor_msgs/msg/CompressedImage", ""),
        topic("/car", "car_msgs/msg/State", STATE),
        topic("/car.tyre", "autoware_vehicle_msgs/msg/SteeringReport", ""),
        topic("/plain", "std_msgs/msg/Float32", ""),
    ];
    let mut messages = Vec::new();
    for i in 0..20u64 {
        let at_ns = 100_000_000_000 + i * 25_000_000;
        let log_ns = at_ns + 300_000_000;
        let jpeg = crate::recorded::decode::tests::jpeg_of(&Array3::from_elem((8, 16, 3), 10 * i as u8));
        if i % 2 == 0 {
            messages.push((0, log_ns, compressed(at_ns, &[])));
            messages.push((1, log_ns, compressed(at_ns, &jpeg)));
        }
        messages.push((2, log_ns, state(at_ns, 2.0 * i as f64, false)));
        let stamped =
            |value| Cdr::new(false).u32((at_ns / 1_000_000_000) as u32).u32((at_ns % 1_000_000_000) as u32).f32(value);
        messages.push((3, log_ns, stamped(0.01 * i as f32).done()));
        messages.push((4, log_ns, Cdr::new(false).f32(0.1 * i as f32).done()));
    }
    Memory { topics, messages }
}

fn selection(options: &str) -> Selection {
    let mut selection = Selection::default();
    options.split(',').filter(|option| !option.is_empty()).for_each(|option| {
        let (name, value) = option.split_once('=').unwrap();
        assert!(selection.set(name, value).unwrap());
    });
    selection
}

fn opened(options: &str) -> Result<Box<dyn Source>, DataError> {
    open("memory", Path::new("memory"), "messages", Box::new(memory()), &selection(options))
}

fn angles(options: &str) -> Vec<f32> {
    opened(options).unwrap().info().steering_true_rad.iter().map(|angle| angle.unwrap()).collect()
}

#[test]
fn topics_are_chosen_by_name_and_by_the_user() {
    let mut source = opened("").unwrap();
    let info = source.info().clone();
    assert!(info.notes.iter().any(|note| note == "images of /cam/front"), "{:?}", info.notes);
    assert!(info.notes.iter().any(|note| note.contains("/cam/rear")) && info.camera.steering_ratio == 1.0);
    assert!(info.notes.iter().any(|note| note.contains("/car.tyre.steering_tire_angle")), "{:?}", info.notes);
    assert!(info.notes.iter().any(|note| note.contains("/plain (std_msgs/msg/Float32)")), "{:?}", info.notes);
    for index in 0..10 {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.index, frame.steering_true_rad), (index, Some(0.02 * index as f32)));
        assert!(
            (frame.time_s - 0.05 * index as f64).abs() < 1e-9 && frame.image[[0, 0, 0]].abs_diff(20 * index as u8) < 3
        );
    }
    let degrees = angles("steering=/car.position[1],unit=deg,sign=right");
    assert!(degrees.iter().enumerate().all(|(i, angle)| (angle + (4.0 * i as f32).to_radians()).abs() < 1e-5));
    assert_eq!(angles("steering=/car.wheels[1].angle_deg,unit=deg,sign=right"), degrees);
    // Without a stamp of its own, the recorder's clock counts for both.
    let plain = angles("steering=/plain.data,unit=rad,sign=left");
    assert!(plain.iter().enumerate().all(|(i, angle)| (angle - 0.2 * i as f32).abs() < 1e-5), "{plain:?}");
    let command = opened("steering=/plain.data,unit=command").unwrap();
    assert!(command.info().notes.iter().any(|note| note.contains("sign=left|right")));
    assert!(matches!(command.info().steering_unit, crate::SteeringUnit::Normalised { .. }));
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    for (options, named) in [
        ("camera=/cam/left", "/cam/front (sensor_msgs/msg/CompressedImage)"),
        ("camera=/plain", "/cam/rear"),
        ("steering=/wheel.angle", "/car (car_msgs/msg/State)"),
        ("steering=/car.angle", "wheels[0].angle_deg (f32)"),
        ("steering=/car", "position[0] (f64)"),
        ("steering=/plain.", "TOPIC.FIELD"),
        ("episode=1", "no episode"),
    ] {
        let message = opened(options).err().unwrap().to_string();
        assert!(
            message.contains(named) && message.contains(options.split_once('=').unwrap().1),
            "{options}: {message}"
        );
    }
    let message = opened("camera=/cam/rear").err().unwrap().to_string();
    assert!(message.contains("none of its 10 images"), "{message}");
}
