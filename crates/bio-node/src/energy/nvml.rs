//! NVIDIA's management library, opened at run time: where it is missing, opening it is an error that says so.

use std::{ffi::OsStr, sync::Arc};

use napi::{Error, Result};
use napi_derive::napi;
use nvml_wrapper::{Device, Nvml, error::NvmlError};

use super::{
    counter_sampler::CounterSampler,
    sampler::{Counter, Failure},
};

/// Without the development package there is only the name with the version; WSL keeps the library in a folder of its own.
#[cfg(not(windows))]
const NAMES: [&str; 3] = ["libnvidia-ml.so.1", "libnvidia-ml.so", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];
#[cfg(windows)]
const NAMES: [&str; 1] = ["nvml.dll"];

/// The library; shut down when neither JavaScript nor a sampler holds it.
#[napi]
pub struct NvmlLibrary(Arc<Nvml>);

/// One GPU, as the energy meter needs it.
#[napi(object)]
pub struct NvmlDevice {
    pub index: u32,
    pub name: String,
    pub uuid: Option<String>,
    /// The enforced limit; absent where the device does not say.
    pub power_limit_milliwatts: Option<u32>,
    /// CUDA's compute capability: 8 of 8.6.
    pub compute_major: Option<i32>,
    pub compute_minor: Option<i32>,
    /// The GPU is divided into instances.
    pub mig: bool,
    /// The UUIDs of those.
    pub mig_uuids: Vec<String>,
}

#[napi(catch_unwind)]
pub fn open_nvml(path: Option<String>) -> Result<NvmlLibrary> {
    let open = |name: &str| Nvml::builder().lib_path(OsStr::new(name)).init();
    let opened = match path {
        Some(path) => open(&path),
        None => NAMES[1..].iter().fold(open(NAMES[0]), |opened, name| match opened {
            // Only a library that is not there has another place to be; one that refuses has said why.
            Err(NvmlError::LibloadingError(missing)) => {
                open(name).map_err(|_| NvmlError::LibloadingError(missing))
            }
            settled => settled,
        }),
    };
    Ok(NvmlLibrary(Arc::new(opened.map_err(reason)?)))
}

#[napi]
impl NvmlLibrary {
    #[napi(catch_unwind)]
    pub fn devices(&self) -> Result<Vec<NvmlDevice>> {
        let count = self.0.device_count().map_err(reason)?;
        (0..count).map(|index| describe(index, &self.device(index)?)).collect()
    }

    /// Millijoules that a GPU has used since the driver was loaded; f64 holds them exactly for 285 years at 1 kW.
    #[napi(catch_unwind)]
    pub fn total_energy(&self, index: u32) -> Result<f64> {
        Ok(self.device(index)?.total_energy_consumption().map_err(reason)? as f64)
    }

    /// Milliwatts; a mean over the last second on Ampere and newer, GA100 excepted.
    #[napi(catch_unwind)]
    pub fn power(&self, index: u32) -> Result<u32> {
        self.device(index)?.power_usage().map_err(reason)
    }

    /// Samples the energy and the power of each device, two columns for each.
    #[napi(catch_unwind)]
    pub fn sample(&self, indices: Vec<u32>, hertz: f64) -> Result<CounterSampler> {
        let quantity = |index, quantity| -> Box<dyn Counter> {
            Box::new(NvmlCounter { nvml: Arc::clone(&self.0), index, quantity })
        };
        let counters = indices
            .iter()
            .flat_map(|&index| [quantity(index, Quantity::Energy), quantity(index, Quantity::Power)]);
        CounterSampler::start(counters.collect(), hertz)
    }

    fn device(&self, index: u32) -> Result<Device<'_>> {
        self.0.device_by_index(index).map_err(reason)
    }
}

enum Quantity {
    Energy,
    Power,
}

struct NvmlCounter {
    nvml: Arc<Nvml>,
    index: u32,
    quantity: Quantity,
}

impl Counter for NvmlCounter {
    fn read(&mut self) -> std::result::Result<f64, Failure> {
        // Looked up each time: a handle of before a reset of the GPU is worth nothing after it.
        let read = self.nvml.device_by_index(self.index).and_then(|device| match self.quantity {
            Quantity::Energy => device.total_energy_consumption().map(|millijoules| millijoules as f64),
            Quantity::Power => device.power_usage().map(f64::from),
        });
        read.map_err(|error| Failure::Text(words(error)))
    }
}

fn describe(index: u32, device: &Device<'_>) -> Result<NvmlDevice> {
    let compute = device.cuda_compute_capability().ok();
    // 1 is NVML_DEVICE_MIG_ENABLE; GPUs that know no MIG refuse the question.
    let mig = device.mig_mode().is_ok_and(|mode| mode.current == 1);
    let instances = if mig { device.mig_device_count().unwrap_or(0) } else { 0 };
    Ok(NvmlDevice {
        index,
        name: device.name().map_err(reason)?,
        uuid: device.uuid().ok(),
        power_limit_milliwatts: device.enforced_power_limit().ok(),
        compute_major: compute.as_ref().map(|compute| compute.major),
        compute_minor: compute.as_ref().map(|compute| compute.minor),
        mig,
        mig_uuids: (0..instances)
            .filter_map(|instance| device.mig_device_by_index(instance).ok()?.uuid().ok())
            .collect(),
    })
}

fn reason(error: NvmlError) -> Error {
    Error::from_reason(words(error))
}

fn words(error: impl std::fmt::Display) -> String {
    format!("NVML: {error}")
}
