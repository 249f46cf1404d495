//! The messages of an MCAP file, as Protocol Buffers, with the description that every file carries of them.
//!
//! Pictures are `foxglove.CompressedImage` as Foxglove's public schema has it, which Foxglove and Rerun show without being
//! told anything; the two others are ours, and plain numbers.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, OneofDescriptorProto, Timestamp,
};

/// One picture.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CompressedImage {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    /// `jpeg`
    #[prost(string, tag = "3")]
    pub format: String,
    #[prost(string, tag = "4")]
    pub frame_id: String,
}

/// The angles of one frame, radians of the steering wheel, positive to the left.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Steering {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    #[prost(double, tag = "2")]
    pub steering_rad: f64,
    #[prost(double, optional, tag = "3")]
    pub steering_true_rad: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub steering_dense_rad: Option<f64>,
}

/// The RNN's work on one frame.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Work {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    #[prost(uint32, tag = "2")]
    pub columns_x: u32,
    #[prost(uint32, tag = "3")]
    pub columns_h: u32,
    #[prost(uint64, tag = "4")]
    pub macs: u64,
    #[prost(uint64, tag = "5")]
    pub macs_dense: u64,
    /// Dense over delta multiplications since the first frame, which is included.
    #[prost(double, tag = "6")]
    pub savings_so_far: f64,
}

/// A message's name and the `FileDescriptorSet` that describes it.
pub(super) struct Schema {
    pub name: String,
    pub data: Vec<u8>,
}

/// Of [`CompressedImage`].
pub(super) fn compressed_image() -> Schema {
    let fields = [
        timestamp(),
        field("data", 2, Type::Bytes),
        field("format", 3, Type::String),
        field("frame_id", 4, Type::String),
    ];
    schema("foxglove", "CompressedImage", fields.to_vec())
}

/// Of [`Steering`].
pub(super) fn steering() -> Schema {
    // Readers must tell an absent angle from zero.
    let optional = |name: &str, number: i32, oneof: i32| FieldDescriptorProto {
        proto3_optional: Some(true),
        oneof_index: Some(oneof),
        ..field(name, number, Type::Double)
    };
    let fields = vec![
        timestamp(),
        field("steering_rad", 2, Type::Double),
        optional("steering_true_rad", 3, 0),
        optional("steering_dense_rad", 4, 1),
    ];
    schema("deltasteer", "Steering", fields)
}

/// Of [`Work`].
pub(super) fn work() -> Schema {
    let fields = [
        timestamp(),
        field("columns_x", 2, Type::Uint32),
        field("columns_h", 3, Type::Uint32),
        field("macs", 4, Type::Uint64),
        field("macs_dense", 5, Type::Uint64),
        field("savings_so_far", 6, Type::Double),
    ];
    schema("deltasteer", "Work", fields.to_vec())
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        json_name: Some(name.to_owned()),
        ..FieldDescriptorProto::default()
    }
}

fn timestamp() -> FieldDescriptorProto {
    FieldDescriptorProto {
        type_name: Some(".google.protobuf.Timestamp".to_owned()),
        ..field("timestamp", 1, Type::Message)
    }
}

fn schema(package: &str, name: &str, fields: Vec<FieldDescriptorProto>) -> Schema {
    let message = |name: &str, field: Vec<FieldDescriptorProto>| {
        let oneof = |field: &FieldDescriptorProto| OneofDescriptorProto {
            name: Some(format!("_{}", field.name())),
            ..OneofDescriptorProto::default()
        };
        let oneof_decl = field.iter().filter(|field| field.oneof_index.is_some()).map(oneof).collect();
        DescriptorProto { name: Some(name.to_owned()), field, oneof_decl, ..DescriptorProto::default() }
    };
    let file = |name: &str, package: &str, message, needs: &[&str]| FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        dependency: needs.iter().map(|&need| need.to_owned()).collect(),
        message_type: vec![message],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    const TIMESTAMP: &str = "google/protobuf/timestamp.proto";
    let parts = vec![field("seconds", 1, Type::Int64), field("nanos", 2, Type::Int32)];
    let files = FileDescriptorSet {
        file: vec![
            file(TIMESTAMP, "google.protobuf", message("Timestamp", parts), &[]),
            file(&format!("{package}/{name}.proto"), package, message(name, fields), &[TIMESTAMP]),
        ],
    };
    Schema { name: format!("{package}.{name}"), data: files.encode_to_vec() }
}
