//! NVIDIA's management library, opened at run time: where it is missing, every call is an error that says so.

use std::{ffi::OsStr, sync::OnceLock};

use napi::{Error, Result};
use napi_derive::napi;
use nvml_wrapper::Nvml;

/// One GPU, as the energy meter needs it.
#[napi(object)]
pub struct NvmlDevice {
    pub index: u32,
    pub name: String,
    /// The enforced limit; absent where the device does not say.
    pub power_limit_milliwatts: Option<u32>,
}

/// The GPUs of the machine.
#[napi(catch_unwind)]
pub fn nvml_devices() -> Result<Vec<NvmlDevice>> {
    let nvml = library()?;
    let count = nvml.device_count().map_err(reason)?;
    (0..count)
        .map(|index| {
            let device = nvml.device_by_index(index).map_err(reason)?;
            Ok(NvmlDevice {
                index,
                name: device.name().map_err(reason)?,
                power_limit_milliwatts: device.enforced_power_limit().ok(),
            })
        })
        .collect()
}

/// Millijoules that a GPU has used since the driver was loaded; f64 holds them exactly for 285 years at 1 kW.
#[napi(catch_unwind)]
pub fn nvml_total_energy(index: u32) -> Result<f64> {
    let device = library()?.device_by_index(index).map_err(reason)?;
    Ok(device.total_energy_consumption().map_err(reason)? as f64)
}

/// Opened once; a failure is tried again at the next call, because a driver may be loaded later.
fn library() -> Result<&'static Nvml> {
    static LIBRARY: OnceLock<Nvml> = OnceLock::new();
    if let Some(nvml) = LIBRARY.get() {
        return Ok(nvml);
    }
    // Without the development package there is only the name with the version.
    let versioned = Nvml::builder().lib_path(OsStr::new("libnvidia-ml.so.1")).init();
    let nvml = versioned.or_else(|_| Nvml::init()).map_err(reason)?;
    Ok(LIBRARY.get_or_init(|| nvml))
}

fn reason(error: impl std::fmt::Display) -> Error {
    Error::from_reason(format!("NVML: {error}"))
}
