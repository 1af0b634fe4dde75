//! Weights on this side, counted to the JavaScript heap so that its collector knows their weight. JavaScript holds them by an external
//! value, which Node-API reads in a tenth of the time that a class takes.

use std::any::TypeId;
use std::ffi::c_void;

use bio_kernels::error::{KernelError, Result};
use napi::sys;

use crate::call::{Answer, Call};

/// What JavaScript holds until it is disposed or collected.
#[repr(C)]
pub struct Held<T> {
    /// First, and so at one place whatever `T` is: what this is, before it is taken for that.
    kind: TypeId,
    bytes: usize,
    inner: Option<T>,
}

impl<T: 'static> Held<T> {
    pub fn new(inner: T, bytes: usize) -> Self {
        Self { kind: TypeId::of::<T>(), bytes, inner: Some(inner) }
    }

    pub fn bytes(&self) -> f64 {
        self.bytes as f64
    }

    /// Frees it; how many bytes that were.
    fn dispose(&mut self) -> usize {
        if self.inner.take().is_some() { self.bytes } else { 0 }
    }

    pub fn get(&self, operation: &'static str) -> Result<&T> {
        self.inner.as_ref().ok_or_else(|| disposed(operation))
    }

    pub fn get_mut(&mut self, operation: &'static str) -> Result<&mut T> {
        self.inner.as_mut().ok_or_else(|| disposed(operation))
    }

    /// The one at `index` of a call, valid while it lasts.
    ///
    /// # Safety
    /// The argument is no external value, or one that this addon made: JavaScript hands on none that it did not get here.
    pub unsafe fn find<const COUNT: usize>(call: &Call<COUNT>, index: usize) -> Result<*mut Self> {
        let mut data = std::ptr::null_mut();
        // SAFETY: a value of the running call, and where to write what it points to.
        let status = unsafe { sys::napi_get_value_external(call.env(), call.value(index), &raw mut data) };
        let held = data.cast::<Self>();
        // SAFETY: all that this addon makes begin with their kind, and live until their value is collected.
        if status == sys::Status::napi_ok && unsafe { (*held.cast::<TypeId>()) == TypeId::of::<T>() } {
            return Ok(held);
        }
        Err(call.refusal("ERR_BIO_VALUE", "weights that the native kernels packed", "another value"))
    }
}

impl<T: 'static> Answer for Held<T> {
    fn give(self, env: sys::napi_env) -> Result<sys::napi_value> {
        count(env, self.bytes as i64);
        let (mut value, data) = (std::ptr::null_mut(), Box::into_raw(Box::new(self)));
        // SAFETY: the environment of the running call; `finalize` is told of the box once, when the value is collected.
        unsafe {
            let hint = std::ptr::null_mut();
            sys::napi_create_external(env, data.cast(), Some(finalize::<T>), hint, &raw mut value);
        }
        Ok(value)
    }
}

unsafe extern "C" fn finalize<T: 'static>(env: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: the box that `give` let go of; the value that pointed to it is no more.
    let mut held = unsafe { Box::from_raw(data.cast::<Held<T>>()) };
    count(env, -(held.dispose() as i64));
}

/// The bytes that disposing frees are the collector's to know at once.
pub struct Freed(usize);

impl Answer for Freed {
    fn give(self, env: sys::napi_env) -> Result<sys::napi_value> {
        count(env, -(self.0 as i64));
        Ok(std::ptr::null_mut())
    }
}

pub fn dispose<T: 'static>(held: &mut Held<T>) -> Result<Freed> {
    Ok(Freed(held.dispose()))
}

pub fn bytes<T: 'static>(held: &Held<T>) -> Result<f64> {
    Ok(held.bytes())
}

fn count(env: sys::napi_env, bytes: i64) {
    let mut all = 0;
    // SAFETY: the environment of the running call or finalizer. Only the collector's estimate depends on it.
    unsafe { sys::napi_adjust_external_memory(env, bytes, &raw mut all) };
}

fn disposed(operation: &'static str) -> KernelError {
    KernelError {
        code: "ERR_BIO_DISPOSED",
        operation,
        expected: "a packed matrix in use".into(),
        received: "one that was disposed".into(),
    }
}
