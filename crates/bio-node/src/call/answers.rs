//! What a kernel may answer.

use bio_kernels::error::Result;
use napi::sys;

pub trait Answer {
    /// The answer as a value of JavaScript; null is `undefined`.
    fn give(self, env: sys::napi_env) -> Result<sys::napi_value>;
}

impl Answer for () {
    fn give(self, _: sys::napi_env) -> Result<sys::napi_value> {
        Ok(std::ptr::null_mut())
    }
}

impl Answer for f64 {
    fn give(self, env: sys::napi_env) -> Result<sys::napi_value> {
        let mut value = std::ptr::null_mut();
        // SAFETY: the environment of the running call, and where to write the value.
        unsafe { sys::napi_create_double(env, self, &raw mut value) };
        Ok(value)
    }
}
