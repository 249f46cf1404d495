//! PyTorch's checkpoint files. candle reads the newer format (a zip archive) and brings the pickle reader; the older format,
//! in which EfficientNet-Lite0 was published, is a row of five pickles followed by the raw storages.

use crate::error::PerceptionError;
use crate::weights::NamedTensors;
use candle_core::pickle::{Object, PthTensors, Stack};
use candle_core::{DType, Device, Tensor};
use ndarray::ArrayD;
use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

/// The first pickle of the older format: protocol 2, the number 0x1950a86a20f9469cfc6c, stop.
const MAGIC: [u8; 15] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// All floating-point tensors of a checkpoint.
pub(super) fn read(path: &Path) -> Result<NamedTensors, PerceptionError> {
    let bytes = std::fs::read(path).map_err(|error| PerceptionError::file(path, error))?;
    let tensors = if bytes.starts_with(b"PK") { read_zip(path) } else { read_legacy(&bytes) };
    tensors.map_err(|error| PerceptionError::file(path, format!("not a PyTorch checkpoint of plain tensors: {error}")))
}

fn read_zip(path: &Path) -> candle_core::Result<NamedTensors> {
    let file = PthTensors::new(path, None)?;
    let mut tensors = NamedTensors::new();
    for name in file.tensor_infos().keys() {
        if let Some(tensor) = file.get(name)? {
            tensors.insert(name.clone(), plain(&tensor)?);
        }
    }
    Ok(tensors)
}

fn plain(tensor: &Tensor) -> candle_core::Result<ArrayD<f32>> {
    array(tensor.dims(), tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

fn array(shape: &[usize], values: Vec<f32>) -> candle_core::Result<ArrayD<f32>> {
    ArrayD::from_shape_vec(shape, values).map_err(candle_core::Error::wrap)
}

fn read_legacy(bytes: &[u8]) -> candle_core::Result<NamedTensors> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { candle_core::bail!("unknown first bytes") };
    let mut reader = Cursor::new(rest);
    let mut next = || -> candle_core::Result<Object> {
        let mut stack = Stack::empty();
        stack.read_loop(&mut reader)?;
        stack.finalize()
    };
    let (_protocol, _system, state, keys) = (next()?, next()?, next()?, next()?);
    let Object::List(keys) = keys else { candle_core::bail!("no list of storages") };
    let mut infos = Vec::new();
    for (name, object) in state.dict().map_err(|_| candle_core::Error::Msg("no dictionary of tensors".into()))? {
        infos.extend(object.into_tensor_info(name, Path::new(""))?);
    }
    let mut storages = HashMap::new();
    let mut rest = &rest[reader.position() as usize..];
    for key in keys {
        let key = format!("/{}", key.unicode()?);
        let Some(width) = infos.iter().find(|info| info.path == key).map(|info| info.dtype.size_in_bytes()) else {
            candle_core::bail!("storage {key} belongs to no tensor")
        };
        let (count, data) = take(rest, 8)?;
        let count = u64::from_le_bytes(count.try_into().unwrap_or_default());
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(width)).unwrap_or(usize::MAX);
        let (data, after) = take(data, length)?;
        storages.insert(key, data);
        rest = after;
    }
    let mut tensors = NamedTensors::new();
    for info in infos {
        let (shape, start) = (info.layout.shape(), info.layout.start_offset());
        let Some(data) = storages.get(&info.path) else { candle_core::bail!("storage {} is missing", info.path) };
        if info.dtype == DType::I64 {
            continue; // the batch norms' counters
        }
        // Weights came from TensorFlow and kept its order of axes: values are picked by their strides.
        let (_, data) = take(data, start)?;
        let stored = data.len() / info.dtype.size_in_bytes();
        let stored = Tensor::from_raw_buffer(data, info.dtype, &[stored], &Device::Cpu)?;
        let stored: Vec<f32> = stored.to_dtype(DType::F32)?.to_vec1()?;
        let places = strided_places(shape.dims(), info.layout.stride());
        let values: Option<Vec<f32>> = places.map(|place| stored.get(place).copied()).collect();
        let Some(values) = values else { candle_core::bail!("tensor {} reaches past its storage", info.name) };
        tensors.insert(info.name, array(shape.dims(), values)?);
    }
    Ok(tensors)
}

/// Where each element of a tensor lies in its storage, in row-major order of its axes.
fn strided_places<'a>(shape: &'a [usize], strides: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    (0..shape.iter().product()).map(move |mut index: usize| {
        let mut place = 0usize;
        for (size, stride) in shape.iter().zip(strides).rev() {
            place = place.saturating_add((index % size).saturating_mul(*stride));
            index /= size;
        }
        place
    })
}

fn take(bytes: &[u8], length: usize) -> candle_core::Result<(&[u8], &[u8])> {
    match bytes.split_at_checked(length) {
        Some(parts) => Ok(parts),
        None => candle_core::bail!("the file ends early"),
    }
}
