//! Where the CNN runs.

use crate::error::PerceptionError;
use crate::kernels::InstructionSet;
use candle_core::Device as CandleDevice;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A device by its name: `cpu`, `cpu:bf16`, `cuda:N` or `metal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor, with this crate's own kernels.
    #[default]
    Cpu,
    /// The processor, with 1x1 layers that multiply bf16 and sum f32 (AVX512-BF16): faster, and its angles differ a little.
    CpuBf16,
    /// An NVIDIA GPU by its number (cargo feature `cuda`).
    Cuda(usize),
    /// The GPU of an Apple machine (cargo feature `metal`).
    Metal,
}

impl Device {
    /// candle's handle of it.
    pub(crate) fn open(self) -> Result<CandleDevice, PerceptionError> {
        let opened = match self {
            Self::Cpu | Self::CpuBf16 => Ok(CandleDevice::Cpu),
            Self::Cuda(number) => CandleDevice::new_cuda(number),
            Self::Metal => CandleDevice::new_metal(0),
        };
        opened.map_err(|error| PerceptionError::Device { name: self.to_string(), reason: error.to_string() })
    }

    /// The kernels for it.
    pub(crate) fn instruction_set(self) -> Result<InstructionSet, PerceptionError> {
        if self != Self::CpuBf16 {
            return Ok(InstructionSet::best());
        }
        let reason = "this processor has no AVX512-BF16, expected cpu".into();
        InstructionSet::bf16().ok_or_else(|| PerceptionError::Device { name: self.to_string(), reason })
    }
}

impl FromStr for Device {
    type Err = PerceptionError;

    fn from_str(name: &str) -> Result<Self, PerceptionError> {
        let number = || name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match name {
            "cpu" => Ok(Self::Cpu),
            "cpu:bf16" => Ok(Self::CpuBf16),
            "metal" => Ok(Self::Metal),
            "cuda" => Ok(Self::Cuda(0)),
            _ => number().map(Self::Cuda).ok_or_else(|| PerceptionError::UnknownDevice { name: name.into() }),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::CpuBf16 => f.write_str("cpu:bf16"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = PerceptionError;

    fn try_from(name: String) -> Result<Self, PerceptionError> {
        name.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, device) in
            [("cpu", Device::Cpu), ("cpu:bf16", Device::CpuBf16), ("cuda:1", Device::Cuda(1)), ("metal", Device::Metal)]
        {
            assert_eq!(name.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string(), name);
        }
        for name in ["gpu", "cuda:x", ""] {
            let error = name.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cuda:N") && error.contains(&format!("\"{name}\"")), "{error}");
        }
    }

    #[test]
    fn bf16_is_an_error_where_the_processor_has_none() {
        match (InstructionSet::bf16(), Device::CpuBf16.instruction_set()) {
            (Some(set), found) => assert_eq!(found.unwrap(), set),
            (None, found) => assert!(found.unwrap_err().to_string().contains("AVX512-BF16, expected cpu")),
        }
        assert_ne!(Device::Cpu.instruction_set().unwrap(), InstructionSet::Avx512Bf16);
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_there_is_named() {
        let error = Device::Cuda(0).open().unwrap_err().to_string();
        assert!(error.starts_with("device cuda:0"), "{error}");
    }
}
