use std::{path::PathBuf, time::Duration};

use napi::{Error, Result};
use napi_derive::napi;

use super::{
    counter_file::CounterFile,
    sampler::{Counter, Failure, Sampler},
};
use crate::call::Out;

/// A running sampler; it ends with `close`, or when JavaScript forgets it.
#[napi]
pub struct CounterSampler(Sampler);

/// Why a read gave no number: the operating system's error number, or words.
#[napi(object)]
pub struct SampleFailure {
    pub system: Option<i32>,
    pub text: Option<String>,
}

#[napi]
impl CounterSampler {
    #[napi(catch_unwind)]
    pub fn take(&self, out: Out<'_, f64>) -> u32 {
        self.0.take(out) as u32
    }

    #[napi]
    pub fn now(&self) -> f64 {
        self.0.now()
    }

    #[napi]
    pub fn lost(&self) -> f64 {
        self.0.lost() as f64
    }

    #[napi]
    pub fn failure(&self, index: u32) -> Option<SampleFailure> {
        self.0.failure(index as usize).map(|failure| match failure {
            Failure::System(number) => SampleFailure { system: Some(number), text: None },
            Failure::Text(text) => SampleFailure { system: None, text: Some(text) },
        })
    }

    #[napi]
    pub fn close(&self) {
        self.0.stop();
    }
}

impl CounterSampler {
    pub fn start(counters: Vec<Box<dyn Counter>>, hertz: f64) -> Result<Self> {
        let started = Sampler::start(counters, Duration::from_secs_f64(1.0 / hertz));
        Ok(Self(started.map_err(|error| Error::from_reason(format!("the sampling thread: {error}")))?))
    }
}

#[napi(catch_unwind)]
pub fn sample_files(paths: Vec<String>, hertz: f64) -> Result<CounterSampler> {
    let files = paths.into_iter().map(|path| Box::new(CounterFile::new(PathBuf::from(path))) as _).collect();
    CounterSampler::start(files, hertz)
}
